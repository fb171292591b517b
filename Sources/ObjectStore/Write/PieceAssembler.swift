internal import Core
package import NIOCore

/// Cuts a stream of buffers of any size into pieces that never cross the border of a chunk. A pure value.
package struct PieceAssembler {
    package struct Output {
        package let bytes: ByteBuffer
        /// Whether these are the last bytes of their chunk.
        package let endsChunk: Bool
    }

    private let chunkSize: Int
    private let pieceSize: Int
    private var pending = ByteBuffer()
    private var room: Int
    private var offsetInChunk = 0

    package init(chunkSize: Int, pieceSize: Int) {
        precondition(chunkSize > 0 && chunkSize.isMultiple(of: Piece.blockSize))
        precondition(pieceSize > 0 && pieceSize.isMultiple(of: Piece.blockSize) && pieceSize <= Piece.maximumSize)
        self.chunkSize = chunkSize
        self.pieceSize = pieceSize
        room = min(pieceSize, chunkSize)
    }

    /// The next full piece, taking what it needs from `buffer`; nil when `buffer` is used up.
    package mutating func next(from buffer: inout ByteBuffer) -> Output? {
        guard buffer.readableBytes > 0 else { return nil }
        let count = min(room - pending.readableBytes, buffer.readableBytes)
        if pending.readableBytes == 0 {
            // The common small body arrives in one buffer: no copy.
            pending = buffer.readSlice(length: count)!
        } else {
            pending.reserveCapacity(room)
            var part = buffer.readSlice(length: count)!
            pending.writeBuffer(&part)
        }
        guard pending.readableBytes == room else { return nil }
        return take()
    }

    /// What is left at the end of the stream, if anything.
    package mutating func finish() -> Output? { pending.readableBytes > 0 ? take() : nil }

    private mutating func take() -> Output {
        let bytes = pending
        pending = ByteBuffer()
        offsetInChunk += bytes.readableBytes
        let endsChunk = offsetInChunk == chunkSize
        if endsChunk { offsetInChunk = 0 }
        room = min(pieceSize, chunkSize - offsetInChunk)
        return Output(bytes: bytes, endsChunk: endsChunk)
    }
}

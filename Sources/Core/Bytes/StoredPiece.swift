internal import NIOCore

/// A part of a fragment as the store hands it out.
public enum StoredPiece: Sendable {
    /// Read, and what was written.
    case verified(Piece)
    /// Where it lies, in memory, with the checksums that it was written with: nobody has looked whether it still has them.
    case unread(FileSlice, checksums: [UInt32])

    /// Bytes of the payload.
    public var byteCount: Int {
        switch self {
        case .verified(let piece): piece.bytes.readableBytes
        case .unread(let slice, _): slice.byteCount
        }
    }
}

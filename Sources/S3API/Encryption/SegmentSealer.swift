internal import Core
internal import NIOCore

/// Encrypts the bytes of one blob as they come: a value that whoever drives it feeds by hand. Digests the plain bytes on the way.
struct SegmentSealer: Sendable {
    /// Plain bytes that are sealed at once, when there are as many.
    static let batchByteCount = 4 * SegmentLayout.segmentByteCount

    private let cipher: SegmentCipher
    /// nil when it has been written.
    private var salt: [UInt8]?
    private var nextIndex: Int64 = 0
    private var pending = ByteBuffer()
    /// Of what has been sealed.
    private(set) var digest: ContentDigest

    /// - Parameters:
    ///   - part: as ``DataKey/cipher(salt:part:)``.
    ///   - algorithms: what is digested beside MD5 and CRC-32C.
    init(_ key: DataKey, part: Int, algorithms: Set<ChecksumAlgorithm>) {
        let salt = randomBytes(SegmentLayout.saltByteCount)
        cipher = key.cipher(salt: salt, part: part)
        self.salt = salt
        digest = ContentDigest(algorithms: algorithms)
    }

    mutating func add(_ bytes: ByteBuffer) { pending.writeImmutableBuffer(bytes) }

    /// Whether there is enough for ``seal(isEnd:)`` to be worth its while.
    var isFull: Bool { pending.readableBytes > Self.batchByteCount }

    /// Bytes that wait to be sealed.
    var pendingByteCount: Int { pending.readableBytes }

    /// Seals what can be: all of it at the end, and before, the whole segments of which none can be the last. Holds a core meanwhile.
    mutating func seal(isEnd: Bool) throws -> ByteBuffer {
        let segmentByteCount = SegmentLayout.segmentByteCount
        let kept = isEnd ? 0 : 1
        var output = ByteBuffer()
        output.reserveCapacity(
            pending.readableBytes + pending.readableBytes / 1_024 + SegmentLayout.saltByteCount + 2 * SegmentLayout.tagByteCount)
        if let salt { output.writeBytes(salt) }
        salt = nil
        while pending.readableBytes >= segmentByteCount + kept, let segment = pending.readSlice(length: segmentByteCount) {
            try seal(segment, isLast: isEnd && pending.readableBytes == 0, into: &output)
            if isEnd, pending.readableBytes == 0 { return output }
        }
        if isEnd {
            let rest = pending.readSlice(length: pending.readableBytes) ?? ByteBuffer()
            try seal(rest, isLast: true, into: &output)
        }
        // What has been sealed is let go.
        pending = ByteBuffer(bytes: pending.readableBytesView)
        return output
    }

    private mutating func seal(_ segment: ByteBuffer, isLast: Bool, into output: inout ByteBuffer) throws {
        digest.update(segment)
        let sealed = try segment.withUnsafeReadableBytes { try cipher.seal($0, index: nextIndex, isLast: isLast) }
        output.writeBytes(sealed.ciphertext)
        output.writeBytes(sealed.tag)
        nextIndex += 1
    }
}

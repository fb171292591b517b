internal import Crypto
internal import FoundationEssentials
public import NIOCore

/// SHA-256 of what is fed in piece by piece. Update it off the event loops.
public struct SHA256Digest: Sendable {
    private var hash = SHA256()
    /// Bytes fed in so far.
    public private(set) var byteCount: Int64 = 0

    public init() {}

    public mutating func update(_ buffer: ByteBuffer) {
        buffer.withUnsafeReadableBytes { hash.update(bufferPointer: $0) }
        byteCount += Int64(buffer.readableBytes)
    }

    /// 64 digits, as `sha256sum` has them.
    public var hexadecimalText: String { hexadecimal(hash.finalize()) }

    /// What stands in the field `Repr-Digest` (RFC 9530): `sha-256=:BASE64:`.
    public var fieldText: String { "sha-256=:\(Data(hash.finalize()).base64EncodedString()):" }
}

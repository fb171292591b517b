internal import Crypto
public import NIOCore

/// The digests that the API promises for an object's content: MD5 (its ETag) and CRC-32C.
///
/// MD5 costs about 1.3 ms a MiB: update it off the event loops.
public struct ContentDigest: Sendable {
    private var md5 = Insecure.MD5()
    private var crc32c = CRC32C()
    /// Bytes fed in so far.
    public private(set) var byteCount: Int64 = 0

    public init() {}

    public mutating func update(_ buffer: ByteBuffer) {
        buffer.withUnsafeReadableBytes { bytes in
            md5.update(bufferPointer: bytes)
            crc32c.update(bytes)
        }
        byteCount += Int64(buffer.readableBytes)
    }

    /// 16 bytes.
    public func md5Bytes() -> [UInt8] { Array(md5.finalize()) }
    public func crc32cValue() -> UInt32 { crc32c.value }
}

/// Lower-case hexadecimal.
public func hexadecimal(_ bytes: some Sequence<UInt8>) -> String {
    let digits = Array("0123456789abcdef".utf8)
    var text: [UInt8] = []
    for byte in bytes {
        text.append(digits[Int(byte >> 4)])
        text.append(digits[Int(byte & 0xF)])
    }
    return String(decoding: text, as: UTF8.self)
}

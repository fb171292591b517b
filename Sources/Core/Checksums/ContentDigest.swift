internal import Crypto
public import NIOCore

/// The digests that the API promises for an object's content: MD5 (its ETag) and CRC-32C, and those that the client asked for.
///
/// MD5 costs about 1.3 ms a MiB: update it off the event loops.
public struct ContentDigest: Sendable {
    private var md5 = Insecure.MD5()
    private var crc32c = CRC32C()
    private var crc32: CRC32?
    private var crc64nvme: CRC64NVME?
    private var sha1: Insecure.SHA1?
    private var sha256: SHA256?
    /// Bytes fed in so far.
    public private(set) var byteCount: Int64 = 0

    /// - Parameter algorithms: what is computed beside MD5 and CRC-32C.
    public init(algorithms: Set<ChecksumAlgorithm> = []) {
        if algorithms.contains(.crc32) { crc32 = CRC32() }
        if algorithms.contains(.crc64nvme) { crc64nvme = CRC64NVME() }
        if algorithms.contains(.sha1) { sha1 = Insecure.SHA1() }
        if algorithms.contains(.sha256) { sha256 = SHA256() }
    }

    public mutating func update(_ buffer: ByteBuffer) {
        buffer.withUnsafeReadableBytes { bytes in
            md5.update(bufferPointer: bytes)
            crc32c.update(bytes)
            crc32?.update(bytes)
            crc64nvme?.update(bytes)
            sha1?.update(bufferPointer: bytes)
            sha256?.update(bufferPointer: bytes)
        }
        byteCount += Int64(buffer.readableBytes)
    }

    /// 16 bytes.
    public func md5Bytes() -> [UInt8] { Array(md5.finalize()) }
    public func crc32cValue() -> UInt32 { crc32c.value }

    /// In network order, as S3 encodes checksums.
    /// - Returns: nil for one that was not asked for.
    public func value(of algorithm: ChecksumAlgorithm) -> [UInt8]? {
        switch algorithm {
        case .crc32: crc32.map { bigEndianBytes($0.value) }
        case .crc32c: bigEndianBytes(crc32c.value)
        case .crc64nvme: crc64nvme.map { bigEndianBytes($0.value) }
        case .sha1: sha1.map { Array($0.finalize()) }
        case .sha256: sha256.map { Array($0.finalize()) }
        }
    }

    private func bigEndianBytes(_ value: some FixedWidthInteger) -> [UInt8] { withUnsafeBytes(of: value.bigEndian) { Array($0) } }
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

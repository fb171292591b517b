internal import Core
internal import Crypto
internal import FoundationEssentials
internal import Metadata

/// A key that wraps data keys.
struct WrappingKey: Sendable {
    static let byteCount = 32

    fileprivate let key: SymmetricKey

    /// - Precondition: 32 bytes.
    init(_ bytes: some ContiguousBytes) {
        key = SymmetricKey(data: bytes)
        precondition(key.bitCount == 8 * Self.byteCount)
    }

    /// Tells keys apart without telling anything of them: 16 digits.
    var identifier: String {
        hexadecimal(HKDF<SHA256>.deriveKey(inputKeyMaterial: key, info: label("identifier"), outputByteCount: 8).bytes)
    }
}

/// What a wrapped data key belongs to: it opens nowhere else.
struct KeyContext: Hashable, Sendable {
    let mode: ObjectAttributes.Encryption.Mode
    let keyName: String?
    let bucket: String
    let key: String

    /// Each text behind its length, so that no two contexts are the same bytes.
    fileprivate var bytes: [UInt8] {
        [mode.rawValue, keyName ?? "", bucket, key].flatMap { text in bigEndian(UInt32(text.utf8.count)) + Array(text.utf8) }
    }
}

/// The key of one object, from which the keys of its blobs are derived.
struct DataKey: Sendable {
    private static let format: UInt8 = 1
    private static let saltByteCount = 32

    private let key: SymmetricKey

    /// A fresh one.
    init() { key = SymmetricKey(size: .bits256) }

    /// - Parameter wrapped: as ``wrapped(by:for:)`` gave it.
    /// - Returns: nil when it was wrapped by another key, for something else, or is damaged.
    init?(_ wrapped: String, by wrappingKey: WrappingKey, for context: KeyContext) {
        guard let bytes = Data(base64Encoded: wrapped), bytes.first == Self.format, bytes.count > 1 + Self.saltByteCount,
            let box = try? AES.GCM.SealedBox(combined: bytes.dropFirst(1 + Self.saltByteCount)),
            let opened = try? AES.GCM.open(
                box, using: Self.key(of: wrappingKey, salt: bytes.dropFirst().prefix(Self.saltByteCount)), authenticating: context.bytes),
            opened.count == WrappingKey.byteCount
        else { return nil }
        key = SymmetricKey(data: opened)
    }

    /// Base64. Another text every time.
    func wrapped(by wrappingKey: WrappingKey, for context: KeyContext) throws -> String {
        let salt = randomBytes(Self.saltByteCount)
        let sealed = try key.withUnsafeBytes {
            try AES.GCM.seal(Data($0), using: Self.key(of: wrappingKey, salt: Data(salt)), authenticating: context.bytes)
        }
        var bytes = Data([Self.format])
        bytes.append(contentsOf: salt)
        bytes.append(contentsOf: sealed.nonce)
        bytes.append(contentsOf: sealed.ciphertext)
        bytes.append(contentsOf: sealed.tag)
        return bytes.base64EncodedString()
    }

    /// Used once: a random nonce is as good as any.
    private static func key(of wrappingKey: WrappingKey, salt: Data) -> SymmetricKey {
        HKDF<SHA256>.deriveKey(inputKeyMaterial: wrappingKey.key, salt: salt, info: label("wrap 1"), outputByteCount: WrappingKey.byteCount)
    }

    /// What seals and opens the segments of a blob.
    /// - Parameters:
    ///   - salt: what the blob begins with.
    ///   - part: the number of the part that the blob is; 0 when it is none.
    func cipher(salt: some DataProtocol, part: Int) -> SegmentCipher {
        SegmentCipher(
            HKDF<SHA256>.deriveKey(
                inputKeyMaterial: key, salt: Data(salt), info: label("blob 1") + bigEndian(UInt32(part)),
                outputByteCount: WrappingKey.byteCount))
    }

    /// An entity tag that tells nothing of the bytes to those who have not the key, and is the same for the same bytes.
    /// - Parameter md5: of the plain bytes.
    func entityTag(md5: [UInt8]) -> String {
        let tagKey = HKDF<SHA256>.deriveKey(inputKeyMaterial: key, info: label("etag 1"), outputByteCount: WrappingKey.byteCount)
        return hexadecimal(HMAC<SHA256>.authenticationCode(for: md5, using: tagKey).prefix(md5.count))
    }
}

/// Seals and opens the segments of one blob.
struct SegmentCipher: Sendable {
    private let key: SymmetricKey

    init(_ key: SymmetricKey) { self.key = key }

    /// - Returns: ciphertext and tag.
    func seal(_ plain: UnsafeRawBufferPointer, index: Int64, isLast: Bool) throws -> (ciphertext: Data, tag: Data) {
        let sealed = try AES.GCM.seal(plain, using: key, nonce: Self.nonce(index, isLast: isLast))
        return (sealed.ciphertext, sealed.tag)
    }

    /// - Parameter sealed: ciphertext and tag.
    /// - Returns: nil when these are not the bytes of that segment.
    func open(_ sealed: UnsafeRawBufferPointer, index: Int64, isLast: Bool) -> Data? {
        guard sealed.count >= SegmentLayout.tagByteCount, let nonce = try? Self.nonce(index, isLast: isLast) else { return nil }
        let ciphertext = UnsafeRawBufferPointer(rebasing: sealed.dropLast(SegmentLayout.tagByteCount))
        let tag = UnsafeRawBufferPointer(rebasing: sealed.suffix(SegmentLayout.tagByteCount))
        guard let box = try? AES.GCM.SealedBox(nonce: nonce, ciphertext: ciphertext, tag: tag) else { return nil }
        return try? AES.GCM.open(box, using: key)
    }

    private static func nonce(_ index: Int64, isLast: Bool) throws -> AES.GCM.Nonce {
        try AES.GCM.Nonce(data: [isLast ? 1 : 0, 0, 0, 0] + bigEndian(UInt64(index)))
    }
}

/// Random bytes fit for keys.
func randomBytes(_ count: Int) -> [UInt8] { SymmetricKey(size: SymmetricKeySize(bitCount: 8 * count)).bytes }

/// What keys are derived for: those of one purpose are of no use for another.
private func label(_ purpose: String) -> [UInt8] { Array("chunkflow \(purpose)".utf8) }

private func bigEndian(_ number: some FixedWidthInteger) -> [UInt8] { withUnsafeBytes(of: number.bigEndian) { Array($0) } }

extension SymmetricKey {
    fileprivate var bytes: [UInt8] { withUnsafeBytes { Array($0) } }
}

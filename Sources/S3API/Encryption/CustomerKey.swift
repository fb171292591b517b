internal import Crypto
internal import FoundationEssentials
internal import NIOHTTP1

/// The key of SSE-C that comes with a request. Never kept, never logged.
struct CustomerKey: Sendable {
    static let prefix = "x-amz-server-side-encryption-customer-"
    static let copySourcePrefix = "x-amz-copy-source-server-side-encryption-customer-"
    private static let algorithm = "AES256"

    let key: WrappingKey
    /// Base64, as the client sent it.
    let md5Text: String

    /// - Parameter prefix: of the names of the fields.
    /// - Returns: nil when the request has none of them.
    /// - Throws: ``S3Error`` `InvalidArgument`, `InvalidEncryptionAlgorithmError`.
    init?(_ headers: HTTPHeaders, prefix: String = CustomerKey.prefix) throws(S3Error) {
        let algorithm = headers.first(name: prefix + "algorithm")
        let keyText = headers.first(name: prefix + "key")
        let md5Text = headers.first(name: prefix + "key-md5")
        if algorithm == nil, keyText == nil, md5Text == nil { return nil }
        guard let algorithm else { throw S3Error(.invalidArgument, "\(prefix)algorithm is missing") }
        guard algorithm == Self.algorithm else {
            throw S3Error(.invalidEncryptionAlgorithm, "\(prefix)algorithm must be \(Self.algorithm)")
        }
        guard let keyText else { throw S3Error(.invalidArgument, "\(prefix)key is missing") }
        guard let md5Text else { throw S3Error(.invalidArgument, "\(prefix)key-MD5 is missing") }
        guard let bytes = Data(base64Encoded: keyText), bytes.count == WrappingKey.byteCount else {
            throw S3Error(.invalidArgument, "\(prefix)key must be \(WrappingKey.byteCount) bytes in base64")
        }
        guard let md5 = Data(base64Encoded: md5Text), md5.elementsEqual(Insecure.MD5.hash(data: bytes)) else {
            throw S3Error(.invalidArgument, "\(prefix)key-MD5 is not the MD5 of the key")
        }
        key = WrappingKey(bytes)
        self.md5Text = md5Text
    }
}

internal import SignatureV4

/// What a request says of its body, so that the body can be checked while it arrives.
enum Payload {
    /// Nothing is said.
    case unsigned
    /// Lower-case hexadecimal SHA-256 of the body.
    case hashed(String)
    /// In chunks, framed as `aws-chunked`, each of them signed; fields behind the last one are signed too, where there are any.
    case signedChunks(ChunkSigner, hasTrailer: Bool)
    /// In chunks that are not signed, with fields behind them.
    case unsignedChunks

    static let unsignedText = "UNSIGNED-PAYLOAD"
    private static let signedChunksText = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
    private static let trailerSuffix = "-TRAILER"
    private static let unsignedChunksText = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"

    /// - Parameters:
    ///   - text: the field `x-amz-content-sha256`.
    ///   - signer: continues the signature of the request; nil for one that is not signed.
    /// - Throws: ``S3Error`` `InvalidArgument` for anything else.
    init(_ text: String, signer: ChunkSigner?) throws(S3Error) {
        switch text {
        case Self.unsignedText: self = .unsigned
        case Self.unsignedChunksText: self = .unsignedChunks
        case Self.signedChunksText, Self.signedChunksText + Self.trailerSuffix:
            guard let signer else { throw S3Error(.invalidRequest, "A body of signed chunks needs a signed request") }
            self = .signedChunks(signer, hasTrailer: text.hasSuffix(Self.trailerSuffix))
        default:
            guard text.utf8.count == 64, text.utf8.allSatisfy(Self.isHexadecimal) else {
                throw S3Error(.invalidArgument, "x-amz-content-sha256 must be \(Self.unsignedText), a way of streaming, or a SHA-256")
            }
            self = .hashed(text.lowercased())
        }
    }

    /// Whether the body is framed as `aws-chunked`.
    var isChunked: Bool {
        switch self {
        case .unsigned, .hashed: false
        case .signedChunks, .unsignedChunks: true
        }
    }

    private static func isHexadecimal(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "f"), UInt8(ascii: "A")...UInt8(ascii: "F"): true
        default: false
        }
    }
}

/// Checks the signatures of a body's chunks, each of which signs the one before ("Signature calculations for the Authorization
/// header: transferring payload in multiple chunks").
struct ChunkSigner: Sendable {
    private static let emptyHash = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

    private let key: SigningKey
    private let time: String
    private let scope: CredentialScope
    private var previous: String

    /// - Parameter seed: the signature of the request.
    init(key: SigningKey, time: String, scope: CredentialScope, seed: String) {
        self.key = key
        self.time = time
        self.scope = scope
        previous = seed
    }

    /// - Parameter hash: hexadecimal SHA-256 of the chunk's bytes.
    /// - Returns: whether `signature` is that of the next chunk.
    mutating func accept(_ signature: String, hash: String) -> Bool {
        check(signature, "AWS4-HMAC-SHA256-PAYLOAD\n\(time)\n\(scope.text)\n\(previous)\n\(Self.emptyHash)\n\(hash)")
    }

    /// - Parameter fields: `name:value\n` for each of the fields behind the body.
    mutating func acceptTrailer(_ signature: String, fields: String) -> Bool {
        check(signature, "AWS4-HMAC-SHA256-TRAILER\n\(time)\n\(scope.text)\n\(previous)\n\(sha256Text(fields.utf8))")
    }

    private mutating func check(_ signature: String, _ text: String) -> Bool {
        guard key.isSignature(signature, of: text) else { return false }
        previous = signature
        return true
    }
}

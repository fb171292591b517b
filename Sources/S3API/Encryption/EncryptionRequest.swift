internal import Metadata
internal import NIOHTTP1

/// How a request, or a bucket's default, wants an object to be encrypted.
enum EncryptionRequest: Sendable {
    /// SSE-S3.
    case managed
    /// SSE-KMS.
    case named(String)
    /// SSE-C.
    case customer(CustomerKey)

    static let algorithmField = "x-amz-server-side-encryption"
    static let keyField = "x-amz-server-side-encryption-aws-kms-key-id"
    private static let contextField = "x-amz-server-side-encryption-context"
    static let managedAlgorithm = "AES256"
    static let namedAlgorithm = "aws:kms"

    /// - Parameter headers: of a request that makes an object, or the fields of a form by their lower-case names.
    /// - Returns: nil when they say nothing of encryption.
    /// - Throws: ``S3Error`` `InvalidArgument`, `InvalidEncryptionAlgorithmError`, `NotImplemented`.
    init?(_ headers: HTTPHeaders) throws(S3Error) {
        let algorithm = headers.first(name: Self.algorithmField)
        let keyName = headers.first(name: Self.keyField)
        if let key = try CustomerKey(headers) {
            guard algorithm == nil, keyName == nil else {
                throw S3Error(.invalidArgument, "Encryption with a key of the client's and with one of the server's exclude each other")
            }
            self = .customer(key)
            return
        }
        guard let algorithm else {
            guard keyName == nil else {
                throw S3Error(.invalidArgument, "\(Self.keyField) needs \(Self.algorithmField): \(Self.namedAlgorithm)")
            }
            return nil
        }
        // Not to be taken for authenticated where it is not.
        if headers.contains(name: Self.contextField) { throw S3Error(.notImplemented, "\(Self.contextField) is not implemented") }
        try self.init(algorithm: algorithm, keyName: keyName)
    }

    /// - Throws: ``S3Error`` `InvalidArgument`, `NotImplemented`.
    init(algorithm: String, keyName: String?) throws(S3Error) {
        switch (algorithm, keyName) {
        case (Self.managedAlgorithm, nil): self = .managed
        case (Self.managedAlgorithm, _?):
            throw S3Error(.invalidArgument, "\(Self.managedAlgorithm) takes no key's name: it is \(Self.namedAlgorithm) that does")
        case (Self.namedAlgorithm, let name?) where !name.isEmpty: self = .named(name)
        case (Self.namedAlgorithm, _):
            throw S3Error(.invalidArgument, "\(Self.namedAlgorithm) needs the name of a key: there is no default one")
        case ("aws:kms:dsse", _): throw S3Error(.notImplemented, "aws:kms:dsse is not implemented")
        default: throw S3Error(.invalidArgument, "The encryption method that was named is not supported")
        }
    }

    /// Of a request that reads: which key the server took, it knows.
    /// - Throws: ``S3Error`` `InvalidArgument`.
    static func refuse(inReading headers: HTTPHeaders) throws(S3Error) {
        for name in [algorithmField, keyField] where headers.contains(name: name) {
            throw S3Error(.invalidArgument, "\(name) does not belong into a request that reads")
        }
    }

    /// What the answer to a request says of the encryption of what it is about.
    /// - Parameter customer: the key of the request, where it is the client's.
    static func fields(_ encryption: ObjectAttributes.Encryption?, customer: CustomerKey?) -> HTTPHeaders {
        switch encryption?.mode {
        case nil: [:]
        case .managed: [algorithmField: managedAlgorithm]
        case .named: [algorithmField: namedAlgorithm, keyField: encryption?.keyName ?? ""]
        case .customer:
            [
                "x-amz-server-side-encryption-customer-algorithm": "AES256",
                "x-amz-server-side-encryption-customer-key-md5": customer?.md5Text ?? "",
            ]
        }
    }
}

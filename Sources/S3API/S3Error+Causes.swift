internal import HTTPEdge
internal import Metadata
internal import ObjectStore

/// The one place that decides how clients of S3 see an error of the store or of the edge.
extension S3Error {
    init(_ error: any Error) {
        switch error {
        case let error as S3Error: self = error
        case let error as StoreError: self.init(store: error)
        case let error as MetadataError: self.init(metadata: error)
        case let error as EdgeError: self.init(edge: error)
        case let error as EncryptionError: self.init(encryption: error)
        case let error as MultipartParser.ParseError: self.init(.malformedPOSTRequest, error.detail)
        default: self.init(.internalError)
        }
    }

    private init(store error: StoreError) {
        let retrySoon = [Detail(name: "Retry-After", value: "5")]
        switch error {
        case .notEnoughNodes, .quorumNotReached, .chunkUnavailable, .shuttingDown: self.init(.serviceUnavailable, fields: retrySoon)
        case .storageClassUnavailable: self.init(.invalidStorageClass, "The cluster has too few nodes for this storage class")
        case .insufficientStorage: self.init(.serviceUnavailable, "There is no room left")
        case .metadataFailure: self.init(.internalError)
        }
    }

    private init(metadata error: MetadataError) {
        switch error {
        case .noSuchBucket: self.init(.noSuchBucket)
        case .bucketNotEmpty: self.init(.bucketNotEmpty)
        case .noSuchKey: self.init(.noSuchKey)
        case .noSuchUpload: self.init(.noSuchUpload)
        case .preconditionFailed: self.init(.preconditionFailed)
        case .protected: self.init(.accessDenied, "The version is locked")
        case .diskFull: self.init(.serviceUnavailable, "There is no room left")
        case .closed: self.init(.serviceUnavailable)
        default: self.init(.internalError)
        }
    }

    /// Who asks is told whose affair it is; the log says more.
    private init(encryption error: EncryptionError) {
        switch error {
        case .noSuchKey(let name): self.init(.kmsNotFound, "There is no key \(name)")
        case .wrongKey: self.init(.internalError, "The server has another key than the one that encrypted the object")
        case .masterKeyMissing: self.init(.internalError, "The server has lost the master key of SSE-S3, or cannot make one")
        case .damaged: self.init(.internalError, "What is stored of the object is damaged")
        }
    }

    private init(edge error: EdgeError) {
        switch error {
        case .malformedRequest(let detail): self.init(.invalidURI, detail)
        case .headerTooLarge: self.init(.maxMessageLengthExceeded, "The request's header is too large")
        case .expectationFailed: self.init(.invalidRequest, "The only expectation that can be met is 100-continue")
        case .headerTimeout, .bodyStalled: self.init(.requestTimeout)
        case .bodyTruncated, .malformedBody: self.init(.incompleteBody)
        case .overloaded: self.init(.slowDown, fields: [Detail(name: "Retry-After", value: "1")])
        case .noSuchRoute, .methodNotAllowed: self.init(.methodNotAllowed)
        case .connectionClosed, .responseLengthMismatch: self.init(.internalError)
        }
    }
}

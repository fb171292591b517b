internal import Core
internal import HTTPEdge
internal import Metadata
internal import NIOCore
internal import NIOHTTP1
internal import ObjectStore

/// Encryption at rest (docs/decisions/0017-encryption.md): what the operations on objects ask for.
extension S3Responder {
    // MARK: Writing

    /// How a new object is to be encrypted: as the request says, else as its bucket does.
    /// - Parameter headers: of the request, or the fields of a form by their lower-case names.
    /// - Returns: nil for not at all.
    /// - Throws: ``S3Error`` `InvalidArgument` and its like, ``EncryptionError``.
    func cipher(forNew key: String, in bucket: BucketDescription, _ headers: HTTPHeaders) async throws -> ObjectCipher? {
        let request = try EncryptionRequest(headers) ?? BucketEncryption(bucket)?.request
        let mode: ObjectAttributes.Encryption.Mode
        var keyName: String?
        let wrappingKey: WrappingKey
        switch request {
        case nil: return nil
        case .managed:
            mode = .managed
            wrappingKey = try await keyRing.currentMaster()
            keyName = wrappingKey.identifier
        case .named(let name):
            mode = .named
            wrappingKey = try keyRing.named(name)
            keyName = name
        case .customer(let key):
            mode = .customer
            wrappingKey = key.key
        }
        let dataKey = DataKey()
        let wrapped = try dataKey.wrapped(
            by: wrappingKey, for: KeyContext(mode: mode, keyName: keyName, bucket: bucket.bucket.name, key: key))
        return ObjectCipher(encryption: .init(mode: mode, keyName: keyName, wrappedKey: wrapped), key: dataKey)
    }

    /// Stores an object, encrypted or not. As `ObjectStore.put`.
    /// - Parameter verify: called with the digest of the plain bytes: says what checksum is kept.
    func put<Body: AsyncSequence & Sendable>(
        _ description: ObjectDescription, cipher: ObjectCipher?, algorithms: Set<ChecksumAlgorithm>, body: Body,
        verify: @escaping @Sendable (ContentDigest) throws -> ObjectAttributes.Checksum?
    ) async throws -> (ObjectRecord, CommittedVersion) where Body.Element == ByteBuffer {
        guard let cipher else {
            return try await store.put(description, algorithms: algorithms, body: body) { AcceptedContent($0, checksum: try verify($0)) }
        }
        var attributes = description.attributes
        attributes.encryption = cipher.encryption
        let encrypted = ObjectDescription(
            bucket: description.bucket, key: description.key, contentType: description.contentType, userMetadata: description.userMetadata,
            attributes: attributes, condition: description.condition)
        let sealed = cipher.sealing(body, part: 0, algorithms: algorithms, executor: store.digestExecutor)
        return try await store.put(encrypted, algorithms: [], body: sealed) { _ in
            cipher.accepted(sealed.digest, checksum: try verify(sealed.digest))
        }
    }

    /// Stores a part, encrypted as its upload is. As `ObjectStore.putPart`.
    /// - Parameter verify: as ``put(_:cipher:algorithms:body:verify:)``.
    func putPart<Body: AsyncSequence & Sendable>(
        _ number: Int, of upload: UploadRecord, in bucket: BucketRecord, cipher: ObjectCipher?, algorithms: Set<ChecksumAlgorithm>,
        body: Body, verify: @escaping @Sendable (ContentDigest) throws -> ObjectAttributes.Checksum?
    ) async throws -> PartRecord where Body.Element == ByteBuffer {
        guard let cipher else {
            return try await store.putPart(number, of: upload, in: bucket, algorithms: algorithms, body: body) {
                AcceptedContent($0, checksum: try verify($0))
            }
        }
        let sealed = cipher.sealing(body, part: number, algorithms: algorithms, executor: store.digestExecutor)
        return try await store.putPart(number, of: upload, in: bucket, algorithms: [], body: sealed) { _ in
            cipher.accepted(sealed.digest, checksum: try verify(sealed.digest))
        }
    }

    /// Makes an object of another's bytes: they are shared when neither is encrypted, else read, and encrypted as the new one is to be.
    /// - Parameter algorithm: of the checksum to keep; nil for none.
    func copy(
        _ source: Source, to description: ObjectDescription, cipher: ObjectCipher?, algorithm: ChecksumAlgorithm?, _ headers: HTTPHeaders
    ) async throws -> (ObjectRecord, CommittedVersion) {
        let sourceCipher = try await self.cipher(of: source, headers)
        if cipher == nil, sourceCipher == nil { return try await store.copy(source.object, to: description) }
        let body = try PlainContent(of: source.object, range: 0..<source.object.byteCount, cipher: sourceCipher, store: store)
        return try await put(description, cipher: cipher, algorithms: algorithm.map { [$0] } ?? [], body: body) { digest in
            algorithm.flatMap { Self.checksum($0, of: digest) }
        }
    }

    // MARK: Reading

    /// The cipher of an object that a request reads.
    /// - Parameter customer: the key that came with the request.
    /// - Returns: nil for one that is not encrypted.
    /// - Throws: ``S3Error`` `InvalidRequest` unless the client's key is there where it is needed, and only there; ``EncryptionError``.
    func cipher(of object: ObjectRecord, in bucket: BucketRecord, customer: CustomerKey?) async throws -> ObjectCipher? {
        try await cipher(object.attributes.encryption, of: object.key, in: bucket, customer: customer)
    }

    /// The cipher of what a copy reads.
    func cipher(of source: Source, _ headers: HTTPHeaders) async throws -> ObjectCipher? {
        let customer = try CustomerKey(headers, prefix: CustomerKey.copySourcePrefix)
        return try await cipher(of: source.object, in: source.bucket, customer: customer)
    }

    /// The cipher for the parts of an upload. What a part says of a key of the server's is not looked at: the upload has said it.
    func cipher(of upload: UploadRecord, in bucket: BucketRecord, customer: CustomerKey?) async throws -> ObjectCipher? {
        try await cipher(upload.attributes.encryption, of: upload.key, in: bucket, customer: customer)
    }

    /// Checks the key that comes with a request that needs no bytes, as HEAD does: one of the server's may be lost.
    func check(_ customer: CustomerKey?, for object: ObjectRecord, in bucket: BucketRecord) async throws {
        switch object.attributes.encryption?.mode {
        case .managed?, .named?: guard customer == nil else { throw Self.notForClientsKey }
        case .customer?, nil: _ = try await cipher(of: object, in: bucket, customer: customer)
        }
    }

    private func cipher(
        _ encryption: ObjectAttributes.Encryption?, of key: String, in bucket: BucketRecord, customer: CustomerKey?
    ) async throws -> ObjectCipher? {
        guard let encryption, encryption.mode == .customer || customer == nil else {
            guard customer == nil else { throw Self.notForClientsKey }
            return nil
        }
        let wrappingKey: WrappingKey
        switch encryption.mode {
        case .managed: wrappingKey = try await keyRing.master(encryption.keyName ?? "")
        case .named: wrappingKey = try keyRing.keeper(named: encryption.keyName ?? "")
        case .customer:
            guard let customer else {
                throw S3Error(.invalidRequest, "It is encrypted with a key of the client's, which has to come with the request")
            }
            wrappingKey = customer.key
        }
        let context = KeyContext(mode: encryption.mode, keyName: encryption.keyName, bucket: bucket.name, key: key)
        guard let dataKey = DataKey(encryption.wrappedKey, by: wrappingKey, for: context) else {
            if encryption.mode == .customer { throw S3Error(.invalidRequest, "It is encrypted with another key than the one that came") }
            throw EncryptionError.wrongKey(encryption.keyName ?? "")
        }
        return ObjectCipher(encryption: encryption, key: dataKey)
    }

    private static let notForClientsKey = S3Error(.invalidRequest, "It is not encrypted with a key of the client's")

    // MARK: The default of a bucket

    func getBucketEncryption(_ call: S3Call) async throws -> HTTPResponse {
        guard let encryption = try BucketEncryption(try await bucket(for: call)) else {
            throw S3Error(.serverSideEncryptionConfigurationNotFound, "The server side encryption configuration was not found")
        }
        return .xml(encryption.document())
    }

    func putBucketEncryption(_ call: S3Call) async throws -> HTTPResponse {
        let bucket = try await bucket(for: call).bucket
        let encryption = try BucketEncryption(try await call.readXML("ServerSideEncryptionConfiguration"))
        // What POST /upload stores there is not encrypted.
        guard bucket.name != ObjectStore.fileBucketName else { throw S3Error(.notImplemented, "Files of the REST API are not encrypted") }
        if case .named(let name) = try encryption.request { _ = try keyRing.named(name) }
        try await store.metadata.setDocument(.encryption, of: bucket.id, to: try encryption.text())
        return HTTPResponse(status: .ok)
    }
}

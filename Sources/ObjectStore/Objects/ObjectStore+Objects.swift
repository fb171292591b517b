public import Core
internal import ErasureCoding
public import Metadata
public import NIOCore
internal import Placement
internal import Traces
internal import Tracing

/// Objects in buckets, as the S3 API has them: the write path of files, with conditions, versions and parts.
extension ObjectStore {
    /// Stores an object. Returns when it is durable and visible; nothing of it is visible before, and nothing stays when `body` or `accept`
    /// throws (what they threw is thrown on) or the task is cancelled.
    /// - Parameters:
    ///   - algorithms: digests that `accept` asks for.
    ///   - accept: called with the digests of what was stored, before anything becomes visible: says what the object is.
    /// - Throws: ``StoreError``; ``MetadataError`` for a condition that does not hold, or a bucket that is gone.
    public func put<Body: AsyncSequence & Sendable>(
        _ description: ObjectDescription, algorithms: Set<ChecksumAlgorithm>, body: Body,
        accept: @escaping @Sendable (ContentDigest) throws -> AcceptedContent
    ) async throws -> (ObjectRecord, CommittedVersion) where Body.Element == ByteBuffer {
        let now = time.now()
        let name = ObjectName(bucket: description.bucket, key: description.key, version: freshVersion(at: now))
        // What the nodes know of it is no more than the plain bytes tell: of ciphertext only the metadata can make an object.
        let object =
            description.attributes.encryption == nil
            ? BlobDescriptor.Object(
                bucket: name.bucket.name, key: name.key, version: name.version.description, fileName: nil,
                contentType: description.contentType, createdAt: now.millisecondsSince1970,
                userMetadata: description.userMetadata.isEmpty ? nil : description.userMetadata)
            : nil
        return try await writing(in: description.bucket, object: object, algorithms: algorithms, body: body) { written in
            let content = try accept(written.digest)
            var attributes = description.attributes
            attributes.checksum = content.checksum
            let record = ObjectRecord(
                bucket: description.bucket.id, key: description.key, version: name.version, byteCount: content.byteCount, fileName: nil,
                contentType: description.contentType, etag: content.etag,
                crc32c: attributes.encryption == nil ? written.digest.crc32cValue() : nil, createdAt: self.time.now(),
                userMetadata: description.userMetadata, attributes: attributes, blobs: [written.record])
            let committed = try await self.committing { metadata in
                try await metadata.commit(record, condition: description.condition, repairs: written.repairs)
            }
            return (record, committed)
        }
    }

    /// Stores a part of a multipart upload; one of the same number goes.
    /// - Parameter accept: called with the digests of what was stored: says what the part is.
    /// - Throws: ``StoreError``; ``MetadataError/noSuchUpload``.
    public func putPart<Body: AsyncSequence & Sendable>(
        _ number: Int, of upload: UploadRecord, in bucket: BucketRecord, algorithms: Set<ChecksumAlgorithm>, body: Body,
        accept: @escaping @Sendable (ContentDigest) throws -> AcceptedContent
    ) async throws -> PartRecord where Body.Element == ByteBuffer {
        try await writing(in: bucket, object: nil, algorithms: algorithms, body: body) { written in
            let content = try accept(written.digest)
            let part = PartRecord(
                number: number, byteCount: content.byteCount, etag: content.etag,
                crc32c: upload.attributes.encryption == nil ? written.digest.crc32cValue() : nil, checksum: content.checksum?.value,
                createdAt: self.time.now(), blob: written.record)
            try await self.committing { metadata in try await metadata.putPart(part, of: upload.id, repairs: written.repairs) }
            return part
        }
    }

    /// Makes an object of the bytes of another, which are shared, not copied.
    /// - Throws: ``MetadataError`` as ``put(_:algorithms:body:accept:)``; ``MetadataError/conflict(detail:)`` when the source went meanwhile.
    public func copy(_ source: ObjectRecord, to description: ObjectDescription) async throws -> (ObjectRecord, CommittedVersion) {
        guard isRunning else { throw StoreError.shuttingDown }
        let now = time.now()
        let record = ObjectRecord(
            bucket: description.bucket.id, key: description.key, version: freshVersion(at: now), byteCount: source.byteCount,
            fileName: source.fileName, contentType: description.contentType, etag: source.etag, crc32c: source.crc32c, createdAt: now,
            userMetadata: description.userMetadata, attributes: description.attributes, blobs: source.blobs)
        let committed = try await committing { metadata in
            try await metadata.commit(record, condition: description.condition, repairs: [])
        }
        return (record, committed)
    }

    /// Looks objects up that are going to be read: what is ``pin(_:)``ned before `body` ends is there to be read as long as it is
    /// pinned, whatever becomes of the object. It should take no longer than the metadata do: the collector waits for it.
    public func lookingUp<Value>(isolation: isolated (any Actor)? = #isolation, _ body: () async throws -> Value) async rethrows -> Value {
        try await activeBlobs.lookingUp(body)
    }

    public func pin(_ object: ObjectRecord) -> PinnedBlobs { PinnedBlobs(object.blobs.map(\.id), in: activeBlobs) }

    /// The bytes of an object as a body, for a copy that cannot share them: read no faster than they are taken.
    public func content(of object: ObjectRecord, range: Range<Int64>) -> ObjectContent {
        ObjectContent(store: self, blobs: object.blobs, pinned: pin(object), range: range)
    }

    /// Reads bytes `range` of blobs, as they are stored, one behind the other.
    public func read(
        _ blobs: [BlobRecord], range: Range<Int64>, deliver: @escaping @Sendable (ByteBuffer) async throws -> Void
    ) async throws {
        for blob in blobs { activeBlobs.insert(blob.id) }
        defer { for blob in blobs { activeBlobs.remove(blob.id) } }
        try await background.serving { try await read(ReadPlan(blobs: blobs, range: range), deliver: deliver) }
    }

    /// Has the collector look at what was put on the garbage list.
    public func noteGarbage() { garbageAdded.raise() }

    /// The write path of one blob, from the body to `commit`, which makes something refer to it.
    /// - Parameter object: whose whole content it is; nil for a part.
    private func writing<Body: AsyncSequence & Sendable, Value: Sendable>(
        in bucket: BucketRecord, object: BlobDescriptor.Object?, algorithms: Set<ChecksumAlgorithm>, body: Body,
        commit: @escaping @Sendable (WrittenBlob) async throws -> Value
    ) async throws -> Value where Body.Element == ByteBuffer {
        try await traced("write object") {
            try await background.serving {
                try checkWritable()
                let wanted = storageClass(of: bucket, in: map.current)
                let layout = try await layout(for: wanted)
                let blob = newBlob(in: layout)
                activeBlobs.insert(blob)
                defer { activeBlobs.remove(blob) }
                let written = try await writeBlob(
                    blob, layout: layout, storageClass: wanted, object: object, algorithms: algorithms, body: body)
                do {
                    try Task.checkCancellation()
                    let value = try await commit(written)
                    // What it replaced, if anything, the collector finds when it looks next: waking it for every write would have it go
                    // through its whole list, and all that waits there for a node that is away.
                    noteCommitted([written])
                    return value
                } catch {
                    // Left alone, should the commit have come through all the same.
                    await discard([written.record])
                    throw error
                }
            }
        }
    }
}

/// The bytes of an object, as a sequence. One reader, once.
public struct ObjectContent: AsyncSequence, Sendable {
    public typealias Element = ByteBuffer

    let store: ObjectStore
    let blobs: [BlobRecord]
    let pinned: PinnedBlobs
    let range: Range<Int64>

    /// Pieces that are read ahead of who takes them.
    private static let piecesAhead = 2

    public func makeAsyncIterator() -> AsyncIterator {
        let queue = BoundedQueue<ByteBuffer>(capacity: Self.piecesAhead)
        let reading = Task { [store, blobs, range] in
            do {
                try await store.read(blobs, range: range) { try await queue.send($0) }
                queue.finish()
            } catch {
                queue.finish(throwing: error)
            }
        }
        return AsyncIterator(queue: queue, reading: reading)
    }

    public final class AsyncIterator: AsyncIteratorProtocol, Sendable {
        private let queue: BoundedQueue<ByteBuffer>
        private let reading: Task<Void, Never>

        init(queue: BoundedQueue<ByteBuffer>, reading: Task<Void, Never>) {
            self.queue = queue
            self.reading = reading
        }

        deinit {
            queue.cancel()
            reading.cancel()
        }

        /// - Throws: ``StoreError``.
        public func next() async throws -> ByteBuffer? { try await queue.next() }
    }
}

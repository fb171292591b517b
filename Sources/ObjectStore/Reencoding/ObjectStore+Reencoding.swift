internal import Core
internal import ErasureCoding
internal import Logging
internal import Metadata
internal import Placement

/// Storing anew: when the class of a bucket changes and an operator asks for it, the objects that are there are brought to it.
///
/// A walk over the bucket's versions, one after the other: what does not have the class is read, written as a new blob of the class,
/// and takes the old blob's place in one transaction (docs/decisions/0015-reencoding.md). The order and how far the walk has come are in
/// the database. What has the class is passed over, so a crash costs at most the blob that was being written.
extension ObjectStore {
    private static let pageSize = 64

    /// Carries out orders until the task is cancelled.
    func reencodeForever() async {
        var patience = configuration.backgroundInterval
        while !Task.isCancelled {
            do {
                let isHindered = try await !reencodeAll()
                patience = isHindered ? min(patience * 2, configuration.repairBackoffLimit) : configuration.backgroundInterval
                // Another distributor may have been given the order.
                try await reencodingRequested.wait(atMost: patience, time: time)
            } catch is CancellationError {
                return
            } catch {
                logger.error("storing anew failed", metadata: ["error": "\(error)"])
                try? await time.sleep(for: configuration.backgroundInterval)
            }
        }
    }

    /// Works at every order once.
    /// - Returns: false when there are objects that could not be brought to their class.
    func reencodeAll() async throws -> Bool {
        var isComplete = true
        for order in try await metadata.reencodings() {
            guard !background.isPaused else { return true }
            if try await !carryOut(order) { isComplete = false }
        }
        return isComplete
    }

    /// - Returns: false when something could not be done; it is tried again.
    private func carryOut(_ order: ReencodingRecord) async throws -> Bool {
        var order = order
        while true {
            let page = try await metadata.versions(toReencode: order, limit: Self.pageSize)
            for version in page {
                guard !background.isPaused else { return true }
                // Not every version shall find out by itself.
                guard canPlace(storageClass(of: order.bucket, in: map.current), in: map.current) else { return false }
                let outcome = try await reencode(version, order)
                guard outcome != .postponed else { return background.isPaused }
                order.note(version, outcome)
                if outcome != .unchanged {
                    guard try await metadata.saveReencoding(order) else { return true }
                }
            }
            if page.count < Self.pageSize {
                guard case .latest = order.position else { break }
                order.position = .older(after: nil, nil)
            }
            guard try await metadata.saveReencoding(order) else { return true }
        }
        return try await finish(order)
    }

    private func finish(_ order: ReencodingRecord) async throws -> Bool {
        var order = order
        if order.failedCount == 0 {
            try await metadata.finishReencoding(order.id)
            logger.notice(
                "the objects of a bucket have its storage class",
                metadata: [
                    "bucket": "\(order.bucket.name)", "reencoded": "\(order.reencodedCount)", "bytes": "\(order.reencodedBytes)",
                ])
            return true
        }
        order.position = .latest(after: nil)
        order.examinedCount = 0
        order.failedCount = 0
        _ = try await metadata.saveReencoding(order)
        return false
    }

    /// Brings one version to the class of its bucket.
    /// - Throws: `CancellationError`, ``MetadataError``.
    private func reencode(_ version: ObjectRecord, _ order: ReencodingRecord) async throws -> ReencodingOutcome {
        do {
            return try await storeAnew(version, order)
        } catch is CancellationError {
            throw CancellationError()
        } catch is ReencodingPaused {
            return .postponed
        } catch {
            if let error = error as? MetadataError, !error.isConflict { throw error }
            logger.warning(
                "an object was not stored anew yet",
                metadata: ["bucket": "\(order.bucket.name)", "version": "\(version.version)", "error": "\(error)"])
            switch error {
            // Others would fare no better now.
            case StoreError.notEnoughNodes, StoreError.quorumNotReached, StoreError.insufficientStorage: return .postponed
            default: return .failed
            }
        }
    }

    private func storeAnew(_ version: ObjectRecord, _ order: ReencodingRecord) async throws -> ReencodingOutcome {
        let wanted = storageClass(of: order.bucket, in: map.current)
        guard version.blobs.contains(where: { !isStored($0, as: wanted) }) else { return .unchanged }
        let layout = try await layout(for: wanted)
        for blob in version.blobs { activeBlobs.insert(blob.id) }
        defer { for blob in version.blobs { activeBlobs.remove(blob.id) } }
        // It may have waited for its turn for long: if it is gone by now, or has other blobs, there is nothing to be done.
        guard case .object(let current)? = try await metadata.version(.named(version.version), of: version.key, in: version.bucket),
            current.blobs.map(\.id) == version.blobs.map(\.id)
        else { return .unchanged }
        // Other versions, copies of this one, may have been given other blobs already.
        var replacements = try await metadata.replacements(of: version.blobs.map(\.id), by: order.id)
            .filter { isStored($0.value, as: wanted) }
        var written: [WrittenBlob] = []
        defer { for blob in written { activeBlobs.remove(blob.record.id) } }
        do {
            for blob in version.blobs where !isStored(blob, as: wanted) && replacements[blob.id] == nil {
                let copy = try await rewrite(blob, of: version, in: order.bucket, as: wanted, layout: layout)
                written.append(copy)
                replacements[blob.id] = copy.record
            }
            let blobs = version.blobs.map { replacements[$0.id] ?? $0 }
            let isReplaced = try await metadata.replaceBlobs(
                of: version, with: blobs, repairs: written.flatMap(\.repairs), by: order.id, at: time.now())
            garbageAdded.raise()
            // It was overwritten or deleted meanwhile: then there is nothing to be done.
            guard isReplaced else { return .unchanged }
        } catch {
            await discard(written.map(\.record))
            throw error
        }
        noteCommitted(written)
        return .reencoded(byteCount: written.reduce(0) { $0 + $1.record.byteCount })
    }

    /// Whether a blob is stored as it would be if it was written now.
    private func isStored(_ blob: BlobRecord, as wanted: StorageClass) -> Bool {
        let replicas = map.current.replicas
        let effective = effective(wanted, byteCount: blob.byteCount, in: map.current)
        return blob.redundancy.resolved(replicas: replicas) == effective.resolved(replicas: replicas)
    }

    /// Writes the content of a blob as another one, which stays among ``activeBlobs``: the caller takes it out.
    private func rewrite(
        _ blob: BlobRecord, of version: ObjectRecord, in bucket: BucketRecord, as wanted: StorageClass, layout: Layout
    ) async throws -> WrittenBlob {
        let effective = effective(wanted, byteCount: blob.byteCount, in: layout)
        guard canPlace(effective, in: layout) else {
            throw StoreError.notEnoughNodes(
                available: layout.members.count { nodes.state(of: $0.node) == .up }, required: quorum(of: wanted, in: layout))
        }
        let id = newBlob(in: layout)
        activeBlobs.insert(id)
        do {
            let object = BlobDescriptor.Object(version, in: bucket)
            let content = BlobContent(of: blob, capacity: configuration.piecesReadAhead)
            async let reading: Void = content.read(from: self, for: BlobCopy(id: id, storageClass: effective, layout: layout))
            defer { content.queue.cancel() }
            let written = try await writeBlob(id, layout: layout, storageClass: wanted, object: object, body: content.queue)
            await reading
            guard written.digest.byteCount == blob.byteCount, isStored(written.record, as: wanted) else {
                await discard([written.record])
                throw StoreError.notEnoughNodes(
                    available: layout.members.count { nodes.state(of: $0.node) == .up }, required: quorum(of: wanted, in: layout))
            }
            return written
        } catch {
            activeBlobs.remove(id)
            throw error
        }
    }
}

/// What became of a version.
private enum ReencodingOutcome: Equatable {
    /// It has the class, or is gone.
    case unchanged
    /// The bytes of content that were written.
    case reencoded(byteCount: Int64)
    /// It cannot be read: it is tried again in the next walk.
    case failed
    /// Movement was stopped, or the nodes take no more: the walk goes on with it later.
    case postponed
}

extension ReencodingRecord {
    fileprivate mutating func note(_ version: ObjectRecord, _ outcome: ReencodingOutcome) {
        switch outcome {
        case .unchanged: break
        case .reencoded(let byteCount):
            reencodedCount += 1
            reencodedBytes += byteCount
        case .failed: failedCount += 1
        case .postponed: preconditionFailure("the walk has not come past this version")
        }
        examinedCount += 1
        switch position {
        case .latest: position = .latest(after: version.key)
        case .older: position = .older(after: version.key, version.version)
        }
    }
}

extension MetadataError {
    fileprivate var isConflict: Bool { if case .conflict = self { true } else { false } }
}

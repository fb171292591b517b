import Core
import Metadata
import NIOCore
import ObjectStore
import Synchronization

/// A ``FileStore`` that keeps files in memory, and can be told to fail, to dawdle and to say what went on in it.
final class MemoryFileStore: FileStore {
    struct Faults: Sendable {
        /// Thrown by `checkWritable`.
        var writable: StoreError?
        /// Thrown by `upload` when a body has been read to its end.
        var upload: StoreError?
        /// Thrown by `read` once it has delivered that many bytes.
        var read: (after: Int, error: StoreError)?
        /// Bytes that `read` delivers at once.
        var pieceSize = 64 * 1024
    }

    struct Observations: Sendable {
        var uploadsBegun = 0
        var uploadsFailed: [String] = []
        var readsEnded = 0
        var readErrors: [String] = []
        var bytesReceived = 0
    }

    private struct State {
        var files: [(record: ObjectRecord, content: ByteBuffer)] = []
        var faults = Faults()
        var observations = Observations()
    }

    private let state = Mutex(State())
    private let random = SeededRandom(seed: 1)
    let uploadGate = Gate()

    func setFaults(_ change: (inout Faults) -> Void) { state.withLock { change(&$0.faults) } }
    var observations: Observations { state.withLock { $0.observations } }
    var fileCount: Int { state.withLock { $0.files.count } }
    func content(of fileID: String) -> ByteBuffer? { state.withLock { state in state.files.first { $0.record.key == fileID }?.content } }

    /// Puts a file in place.
    @discardableResult
    func add(
        _ content: ByteBuffer, name: String? = nil, contentType: String = "application/octet-stream",
        at time: Timestamp = Timestamp(millisecondsSince1970: 1_767_323_045_678)
    ) -> ObjectRecord {
        state.withLock { state in
            let id = FileID(
                time: Timestamp(millisecondsSince1970: time.millisecondsSince1970 + Int64(state.files.count)), random: random)
            var digest = ContentDigest()
            digest.update(content)
            let record = ObjectRecord(
                bucket: BucketID(value: 1), key: id.description, version: VersionID(uuid: id.uuid), byteCount: Int64(content.readableBytes),
                fileName: name, contentType: contentType, etag: hexadecimal(digest.md5Bytes()), crc32c: digest.crc32cValue(),
                createdAt: time, userMetadata: [:], blobs: [])
            state.files.append((record, content))
            return record
        }
    }

    // MARK: FileStore

    func checkWritable() throws {
        if let error = state.withLock({ $0.faults.writable }) { throw error }
    }

    func upload<Body: AsyncSequence & Sendable>(_ description: UploadDescription, body: Body) async throws -> ObjectRecord
    where Body.Element == ByteBuffer {
        state.withLock { $0.observations.uploadsBegun += 1 }
        do {
            try await uploadGate.pass()
            var content = ByteBuffer()
            for try await bytes in body {
                content.writeImmutableBuffer(bytes)
                state.withLock { $0.observations.bytesReceived += bytes.readableBytes }
            }
            if let error = state.withLock({ $0.faults.upload }) { throw error }
            try Task.checkCancellation()
            return add(content, name: description.fileName, contentType: description.contentType)
        } catch {
            state.withLock { $0.observations.uploadsFailed.append("\(error)") }
            throw error
        }
    }

    func file(_ id: FileID) async throws -> ObjectRecord? {
        state.withLock { state in state.files.first { $0.record.key == id.description }?.record }
    }

    func pinnedFile(_ id: FileID) async throws -> (file: ObjectRecord, pinned: PinnedBlobs)? {
        try await file(id).map { ($0, PinnedBlobs([], in: ActiveBlobs())) }
    }

    func read(_ object: ObjectRecord, range: Range<Int64>, deliver: @escaping @Sendable (ByteBuffer) async throws -> Void) async throws {
        let (content, faults) = state.withLock { state in (state.files.first { $0.record.key == object.key }?.content, state.faults) }
        do {
            guard let content else { throw StoreError.metadataFailure(detail: "gone") }
            var position = Int(range.lowerBound)
            while position < range.upperBound {
                if let fault = faults.read, position - Int(range.lowerBound) >= fault.after { throw fault.error }
                let length = min(faults.pieceSize, Int(range.upperBound) - position)
                guard let piece = content.getSlice(at: position, length: length) else { preconditionFailure("range beyond the object") }
                try await deliver(piece)
                position += length
            }
            state.withLock { $0.observations.readsEnded += 1 }
        } catch {
            state.withLock { state in
                state.observations.readsEnded += 1
                state.observations.readErrors.append("\(error)")
            }
            throw error
        }
    }

    func files(after cursor: FileID?, limit: Int) async throws -> [ObjectRecord] {
        state.withLock { state in
            let sorted = state.files.map(\.record).sorted { $0.key < $1.key }
            return Array(sorted.filter { record in cursor.map { record.key > $0.description } ?? true }.prefix(limit))
        }
    }

    func deleteFile(_ id: FileID) async throws -> Bool {
        state.withLock { state in
            let before = state.files.count
            state.files.removeAll { $0.record.key == id.description }
            return state.files.count < before
        }
    }

    func clusterStatus() async throws -> ClusterStatus {
        let random = SeededRandom(seed: 7)
        let time = Timestamp(millisecondsSince1970: 1_767_323_045_678)
        let node = { (address: String, state: NodeState, seen: Timestamp?) in
            NodeStatus(
                id: NodeID(time: time, random: random), address: address, zone: "a", state: state, version: "1.0", capacityBytes: 1_000,
                availableBytes: 600, usedBytes: 400, fragmentCount: 3, quarantinedCount: 1, lastSeenAt: seen)
        }
        return ClusterStatus(
            cluster: ClusterID(time: time, random: random), nodes: [node("s1:9001", .up, time), node("s2:9001", .down, nil)],
            layoutVersion: 1, partitionCount: 1_024, replicas: 2, writeQuorum: 2, objectCount: Int64(fileCount), byteCount: 12,
            repairQueueLength: 4)
    }
}

/// Holds up whoever passes while it is closed.
final class Gate: Sendable {
    private struct State {
        var isOpen = true
        var waiting: [CheckedContinuation<Void, Never>] = []
    }

    private let state = Mutex(State())

    func close() { state.withLock { $0.isOpen = false } }

    func open() {
        let waiting = state.withLock { state in
            state.isOpen = true
            defer { state.waiting = [] }
            return state.waiting
        }
        for continuation in waiting { continuation.resume() }
    }

    func pass() async throws {
        await withCheckedContinuation { continuation in
            let isOpen = state.withLock { state in
                if !state.isOpen { state.waiting.append(continuation) }
                return state.isOpen
            }
            if isOpen { continuation.resume() }
        }
    }
}

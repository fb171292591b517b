import ChunkTransport
import Core
import ErasureCoding
import NIOCore
import Synchronization

/// A storage node in memory that does what a test tells it to: fails, waits, or serves damaged bytes.
final class MemoryNode: ChunkTransport, StoredFragments {
    struct Fragment: Equatable {
        var descriptor: [UInt8]
        var bytes: [UInt8]
    }

    struct Behaviour: Sendable {
        /// Thrown by every call.
        var failure: NodeError?
        /// Awaited before each call other than put and get.
        var beforeCall: @Sendable () async throws -> Void = {}
        /// Awaited before a put takes its next piece, with the number of pieces taken so far.
        var beforeTaking: @Sendable (Int) async throws -> Void = { _ in }
        /// Awaited before a get delivers its next piece, with the number of pieces delivered so far.
        var beforeDelivering: @Sendable (Int) async throws -> Void = { _ in }
        /// Awaited by a put that has all pieces, before it is stored.
        var beforeStoring: @Sendable () async throws -> Void = {}
        /// What a get delivers in place of a piece.
        var serving: @Sendable (Piece) -> Piece = { $0 }
        /// What a get that need not verify delivers in place of a piece; verified pieces where there is nothing.
        var unread: (@Sendable (Piece) throws -> StoredPiece)?
        /// What a get says it served.
        var summary: @Sendable (FragmentInfo) -> FragmentInfo = { $0 }
    }

    private struct State {
        var fragments: [FragmentID: Fragment] = [:]
        var behaviour = Behaviour()
        var piecesTaken = 0
        var piecesRead = 0
        var failedPuts = 0
        var endedGets = 0
        var unverifiedGets = 0
        var cancelledPulls = 0
        var cluster: ClusterID?
        var pulls: [(FragmentID, [Peer])] = []
        var reconstructions: [(FragmentID, ErasureCode, [FragmentSource])] = []
    }

    let id = NodeID(time: SystemTime().now(), random: SystemRandom())
    private let pieceSize: Int
    private let state = Mutex(State())

    init(pieceSize: Int = 256 * 1024) { self.pieceSize = pieceSize }

    var fragments: [FragmentID: Fragment] { state.withLock { $0.fragments } }
    var piecesTaken: Int { state.withLock { $0.piecesTaken } }
    var piecesRead: Int { state.withLock { $0.piecesRead } }
    var failedPuts: Int { state.withLock { $0.failedPuts } }
    var endedGets: Int { state.withLock { $0.endedGets } }
    var unverifiedGets: Int { state.withLock { $0.unverifiedGets } }
    var cancelledPulls: Int { state.withLock { $0.cancelledPulls } }
    var pulls: [(FragmentID, [Peer])] { state.withLock { $0.pulls } }
    var reconstructions: [(FragmentID, ErasureCode, [FragmentSource])] { state.withLock { $0.reconstructions } }
    var behaviour: Behaviour { state.withLock { $0.behaviour } }

    func behave(_ change: (inout Behaviour) -> Void) { state.withLock { change(&$0.behaviour) } }
    func store(_ id: FragmentID, _ bytes: [UInt8], descriptor: [UInt8] = []) {
        state.withLock { $0.fragments[id] = Fragment(descriptor: descriptor, bytes: bytes) }
    }

    private func begin() async throws {
        if let failure = behaviour.failure { throw failure }
        try await behaviour.beforeCall()
    }

    private func fragment(_ id: FragmentID) throws -> Fragment {
        guard let fragment = fragments[id] else { throw NodeError.notFound(id) }
        return fragment
    }

    func put(
        _ id: FragmentID, pieces: BoundedQueue<Piece>, descriptor: @escaping @Sendable () -> [UInt8]
    ) async throws -> FragmentInfo {
        do {
            if let failure = behaviour.failure { throw failure }
            var bytes: [UInt8] = []
            var taken = 0
            while true {
                try await behaviour.beforeTaking(taken)
                guard let piece = try await pieces.next() else { break }
                guard piece.verify() else { throw NodeError.damagedInTransit(id) }
                bytes += piece.bytes.readableBytesView
                taken += 1
                state.withLock { $0.piecesTaken += 1 }
            }
            try await behaviour.beforeStoring()
            store(id, bytes, descriptor: descriptor())
            return FragmentInfo(id: id, byteCount: bytes.count)
        } catch {
            pieces.cancel()
            state.withLock { $0.failedPuts += 1 }
            throw error
        }
    }

    func get(
        _ id: FragmentID, range: Range<Int>?, deliver: @escaping @Sendable (Piece) async throws -> Void
    ) async throws -> FragmentInfo {
        defer { state.withLock { $0.endedGets += 1 } }
        if let failure = behaviour.failure { throw failure }
        let fragment = try fragment(id)
        let range = range ?? 0..<fragment.bytes.count
        guard range.upperBound <= fragment.bytes.count else { throw NodeError.invalid(detail: "range") }
        let start = range.lowerBound / Piece.blockSize * Piece.blockSize
        let end = min(Piece.blockCount(forByteCount: range.upperBound) * Piece.blockSize, fragment.bytes.count)
        var delivered = 0
        for offset in stride(from: start, to: range.isEmpty ? start : end, by: pieceSize) {
            try await behaviour.beforeDelivering(delivered)
            let piece = Piece(checksumming: ByteBuffer(bytes: fragment.bytes[offset..<min(offset + pieceSize, end)]))
            state.withLock { $0.piecesRead += 1 }
            try await deliver(behaviour.serving(piece))
            delivered += 1
        }
        return behaviour.summary(FragmentInfo(id: id, byteCount: fragment.bytes.count))
    }

    func getUnverified(
        _ id: FragmentID, range: Range<Int>?, deliver: @escaping @Sendable (StoredPiece) async throws -> Void
    ) async throws -> FragmentInfo {
        state.withLock { $0.unverifiedGets += 1 }
        let unread = behaviour.unread
        return try await get(id, range: range) { piece in try await deliver(try unread?(piece) ?? .verified(piece)) }
    }

    func descriptor(of id: FragmentID) async throws -> [UInt8] {
        try await begin()
        return try fragment(id).descriptor
    }

    func delete(_ ids: [FragmentID]) async throws {
        try await begin()
        state.withLock { state in for id in ids { state.fragments[id] = nil } }
    }

    func stat(_ id: FragmentID) async throws -> FragmentInfo? {
        try await begin()
        return fragments[id].map { FragmentInfo(id: id, byteCount: $0.bytes.count) }
    }

    func quarantined(limit: Int) async throws -> [FragmentID] {
        try await begin()
        return Array(fragments.keys.sorted().reversed().prefix(limit))
    }

    func list(after cursor: ListCursor?, limit: Int) async throws -> FragmentPage {
        try await begin()
        let all = fragments.sorted { $0.key < $1.key }
        let start = Int(cursor?.value ?? 0)
        let page = all.dropFirst(start).prefix(limit)
        return FragmentPage(
            fragments: page.map { FragmentInfo(id: $0.key, byteCount: $0.value.bytes.count) },
            next: page.endIndex < all.endIndex ? ListCursor(value: UInt64(page.endIndex)) : nil)
    }

    func information() async throws -> NodeInformation {
        try await begin()
        return NodeInformation(
            id: id, cluster: state.withLock { $0.cluster }, zone: "här", version: "1.2.3", capacityBytes: .max, availableBytes: 2,
            usedBytes: 3, liveBytes: 4, fragmentCount: Int64(fragments.count), quarantinedCount: 6,
            instance: .max,
            disks: [
                DiskHealth(path: "/här", capacityBytes: .max, availableBytes: 2, readErrors: 3, writeErrors: .max, state: .failing),
                DiskHealth(path: "", capacityBytes: 0, availableBytes: 0, readErrors: 0, writeErrors: 0, state: .healthy),
            ])
    }

    func claim(for cluster: ClusterID) async throws -> NodeInformation {
        try await begin()
        state.withLock { $0.cluster = cluster }
        return try await information()
    }

    func pull(_ id: FragmentID, from sources: [Peer]) async throws -> FragmentInfo {
        state.withLock { $0.pulls.append((id, sources)) }
        do {
            try await begin()
        } catch is CancellationError {
            state.withLock { $0.cancelledPulls += 1 }
            throw CancellationError()
        }
        return FragmentInfo(id: id, byteCount: 7)
    }

    func reconstruct(_ id: FragmentID, code: ErasureCode, from sources: [FragmentSource]) async throws -> FragmentInfo {
        state.withLock { $0.reconstructions.append((id, code, sources)) }
        try await begin()
        return FragmentInfo(id: id, byteCount: 7)
    }
}

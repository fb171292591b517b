import ChunkTransport
import Core
import Foundation
import Logging
import NIOCore
import StorageService
import Synchronization
import Testing

/// What the tests of the way between servers share.
enum ClusterFixture {
    static let logger = Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })
    static let loopback = HostPort(host: "127.0.0.1", port: 0)

    static func id(_ number: Int = 1, fragment: UInt8 = 0) -> FragmentID {
        let blob = BlobID(uuid: UUIDv7(high: mix64(UInt64(number)), low: UInt64(number)))
        return FragmentID(chunk: ChunkID(blob: blob, index: UInt32(number)), number: fragment)
    }

    /// Bytes that only this seed gives.
    static func bytes(_ count: Int, seed: Int = 1) -> [UInt8] {
        var word = mix64(UInt64(seed))
        return [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
            for index in 0..<count {
                buffer[index] = UInt8(truncatingIfNeeded: word >> 56)
                word = word &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            }
            initialized = count
        }
    }

    static func pieces(_ bytes: [UInt8], size: Int = 256 * 1024) -> [Piece] {
        stride(from: 0, to: bytes.count, by: size).map {
            Piece(checksumming: ByteBuffer(bytes: bytes[$0..<min($0 + size, bytes.count)]))
        }
    }

    /// A queue that already holds everything, and its end.
    static func queue(_ pieces: [Piece], throwing error: (any Error)? = nil) throws -> BoundedQueue<Piece> {
        let queue = BoundedQueue<Piece>(capacity: max(1, pieces.count))
        for piece in pieces { _ = try queue.offer(piece) }
        queue.finish(throwing: error)
        return queue
    }

    static func server(_ node: any ChunkTransport, listen: HostPort = loopback, secret: String? = nil) -> ClusterServer {
        ClusterServer(node: node, listen: listen, secret: secret, shutdownTimeout: .seconds(5), logger: logger)
    }

    /// A server of fragments alone, which may be one that does not know direct connections.
    static func fragmentServer(_ node: any ChunkTransport, takesDirectConnections: Bool) -> ClusterServer {
        ClusterServer(
            services: ClusterServer.services(of: node), names: [], listen: loopback, secret: nil, shutdownTimeout: .seconds(5),
            time: SystemTime(), logger: logger, takesDirectConnections: takesDirectConnections)
    }

    /// Runs `body` against `node` behind a real socket.
    static func withNode<Value: Sendable>(
        _ node: any ChunkTransport, secret: String? = nil, timeouts: TransportTimeouts = TransportTimeouts(),
        _ body: @escaping @Sendable (GRPCChunkTransport) async throws -> Value
    ) async throws -> Value {
        let running = try await RunningServer.start(node, secret: secret)
        return try await running.whileRunning {
            try await withTransport(to: running.address, secret: secret, timeouts: timeouts, body)
        }
    }

    /// Runs `body` with a connection to whatever listens on `address`.
    static func withTransport<Value: Sendable>(
        to address: String, secret: String? = nil, timeouts: TransportTimeouts = TransportTimeouts(),
        _ body: @escaping @Sendable (GRPCChunkTransport) async throws -> Value
    ) async throws -> Value {
        let transport = try GRPCChunkTransport(address: address, secret: secret, timeouts: timeouts, time: SystemTime())
        return try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await transport.run() }
            defer { group.cancelAll() }
            return try await body(transport)
        }
    }
}

/// A server that a test can kill and start again.
final class RunningServer: Sendable {
    let server: ClusterServer
    let port: Int
    private let task: Task<Void, any Error>

    var address: String { "127.0.0.1:\(port)" }

    private init(server: ClusterServer, port: Int, task: Task<Void, any Error>) {
        self.server = server
        self.port = port
        self.task = task
    }

    static func start(_ node: any ChunkTransport, port: Int = 0, secret: String? = nil) async throws -> RunningServer {
        try await start(ClusterFixture.server(node, listen: HostPort(host: "127.0.0.1", port: port), secret: secret))
    }

    /// A server that has nothing but the health service.
    static func healthOnly() async throws -> RunningServer {
        try await start(ClusterServer.health(listen: ClusterFixture.loopback, secret: nil, logger: ClusterFixture.logger))
    }

    static func start(_ server: ClusterServer) async throws -> RunningServer {
        let task = Task { try await server.run() }
        let bound = try await server.boundAddress()
        return RunningServer(server: server, port: bound.port, task: task)
    }

    /// Drops every connection and everything in progress.
    func kill() async {
        task.cancel()
        _ = await task.result
    }

    /// Waits until the server has ended by itself.
    func ended() async throws { try await task.value }

    /// Kills the server when `body` has ended, however it did.
    func whileRunning<Value: Sendable>(_ body: () async throws -> Value) async throws -> Value {
        let result: Result<Value, any Error>
        do { result = .success(try await body()) } catch { result = .failure(error) }
        await kill()
        return try result.get()
    }
}

/// A door that is shut until it is opened.
final class Door: Sendable {
    private struct State {
        var isOpen = false
        var waiting: [Int: CheckedContinuation<Void, any Error>] = [:]
        var last = 0
    }

    private let state = Mutex(State())

    /// How many wait at the door.
    var waiting: Int { state.withLock { $0.waiting.count } }

    func open() {
        let waiting = state.withLock { state in
            state.isOpen = true
            defer { state.waiting = [:] }
            return Array(state.waiting.values)
        }
        for continuation in waiting { continuation.resume() }
    }

    /// - Throws: `CancellationError`.
    func pass() async throws {
        let number = state.withLock { state in
            state.last += 1
            return state.last
        }
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                let outcome: Result<Void, any Error>? = state.withLock { state in
                    if Task.isCancelled { return .failure(CancellationError()) }
                    if state.isOpen { return .success(()) }
                    state.waiting[number] = continuation
                    return nil
                }
                if let outcome { continuation.resume(with: outcome) }
            }
        } onCancel: {
            state.withLock { $0.waiting.removeValue(forKey: number) }?.resume(throwing: CancellationError())
        }
    }
}

extension ChunkTransport {
    @discardableResult
    func put(_ id: FragmentID, _ bytes: [UInt8], descriptor: [UInt8] = [], pieceSize: Int = 256 * 1024) async throws -> FragmentInfo {
        try await put(id, descriptor: descriptor, pieces: ClusterFixture.queue(ClusterFixture.pieces(bytes, size: pieceSize)))
    }

    func bytes(_ id: FragmentID, _ range: Range<Int>? = nil) async throws -> [UInt8] {
        let bytes = Mutex<[UInt8]>([])
        _ = try await get(id, range: range) { piece in
            bytes.withLock { $0.append(contentsOf: piece.bytes.readableBytesView) }
        }
        return bytes.withLock { $0 }
    }
}

/// Waits for a condition that is about to come true.
func eventually(
    within limit: Duration = .seconds(5), _ what: Comment, sourceLocation: SourceLocation = #_sourceLocation,
    _ condition: () async throws -> Bool
) async throws {
    let deadline = ContinuousClock.now + limit
    while try await !condition() {
        guard ContinuousClock.now < deadline else {
            Issue.record(what, sourceLocation: sourceLocation)
            return
        }
        try await Task.sleep(for: .milliseconds(2))
    }
}

/// Runs `body`, which must throw a ``NodeError``.
func nodeError(
    sourceLocation: SourceLocation = #_sourceLocation, _ body: () async throws -> some Any
) async -> NodeError? {
    do {
        _ = try await body()
        Issue.record("nothing was thrown", sourceLocation: sourceLocation)
    } catch let error as NodeError {
        return error
    } catch {
        Issue.record("\(error) is not a NodeError", sourceLocation: sourceLocation)
    }
    return nil
}

extension NodeError {
    var isUnreachable: Bool { if case .unreachable = self { true } else { false } }
    var isUnauthenticated: Bool { if case .unauthenticated = self { true } else { false } }
    var isInvalid: Bool { if case .invalid = self { true } else { false } }
}

internal import ClusterProtocol
public import Core
internal import DirectTransport
public import ErasureCoding
internal import Foundation
internal import GRPCCore
internal import GRPCNIOTransportHTTP2Posix
internal import GRPCProtobuf
internal import NIOCore
internal import SwiftProtobuf
import Synchronization

/// A storage node across the network. One HTTP/2 connection, made when it is first needed and again whenever it was lost; fragments travel
/// over direct connections, where the node takes them.
///
/// A peer breaks a connection on which 200 streams were reset within 30 s (a guard against HTTP/2 rapid reset, not to be
/// set), with all calls on it. Calls that are given up reset theirs, so before that many a new connection takes its place.
///
/// Keep ``run()`` running while calls are made. Safe to use from any task.
public final class GRPCChunkTransport: ChunkTransport {
    /// Calls given up on one connection before the next is used.
    private static let maximumResets = 100

    /// How long a refused put may take to end its stream in order, which spares a reset. One that is held up by the node's
    /// full window cannot.
    private static let endingTime = Duration.milliseconds(50)

    private struct State {
        var connection: NodeConnection
        var resets = 0
        var isShutDown = false
    }

    /// `host:port` of the node.
    public let address: String
    private let parsed: HostPort
    private let metadata: Metadata
    private let timeouts: TransportTimeouts
    private let time: any TimeSource
    private let state: Mutex<State>
    private let direct: DirectClientTransport
    private let directClient: GRPCClient<DirectClientTransport>
    private let opened: AsyncStream<NodeConnection>
    private let opening: AsyncStream<NodeConnection>.Continuation

    /// - Parameters:
    ///   - address: `host:port`; the name is resolved when a connection is made.
    ///   - secret: the cluster secret, sent with every call.
    /// - Throws: ``NodeError/unreachable`` when `address` is not of the form `host:port`.
    public convenience init(
        address: String, secret: String?, timeouts: TransportTimeouts = TransportTimeouts(), time: any TimeSource
    ) throws {
        try self.init(
            address: address, secret: secret, timeouts: timeouts, time: time, protocolVersion: ClusterMetadata.currentVersion)
    }

    /// - Parameter protocolVersion: for tests, which speak others.
    package init(
        address: String, secret: String?, timeouts: TransportTimeouts = TransportTimeouts(), time: any TimeSource, protocolVersion: String
    ) throws {
        guard let parsed = HostPort(address) else {
            throw NodeError.unreachable(address: address, detail: "not an address of the form host:port")
        }
        self.address = address
        self.parsed = parsed
        self.timeouts = timeouts
        self.time = time
        metadata = ClusterMetadata.ofCall(secret: secret, version: protocolVersion)
        direct = DirectClientTransport(to: parsed, maximumMessageSize: TransferFrame.maximumSize, time: time)
        directClient = GRPCClient(transport: direct, interceptors: [TracePropagation(), RequestPropagation()])
        (opened, opening) = AsyncStream.makeStream()
        do {
            let connection = try NodeConnection(to: parsed, time: time)
            state = Mutex(State(connection: connection))
            opening.yield(connection)
        } catch {
            throw NodeError.unreachable(address: address, detail: "\(error)")
        }
    }

    private var connection: NodeConnection { state.withLock { $0.connection } }

    /// Counts a call that was given up on `connection`.
    private func countReset(on connection: NodeConnection) {
        let retired = state.withLock { state -> NodeConnection? in
            guard state.connection === connection, !state.isShutDown else { return nil }
            state.resets += 1
            guard state.resets >= Self.maximumResets, let next = try? NodeConnection(to: parsed, time: time) else { return nil }
            state.connection = next
            state.resets = 0
            opening.yield(next)
            return connection
        }
        // What is in progress on it goes on.
        retired?.client.beginGracefulShutdown()
    }

    /// Keeps the connection until ``shutDown()``.
    public func run() async {
        await withDiscardingTaskGroup { group in
            group.addTask { [directClient] in try? await directClient.runConnections() }
            // What goes wrong with a connection is told to the calls that needed it.
            for await connection in opened { group.addTask { try? await connection.client.runConnections() } }
        }
    }

    /// Lets calls in progress finish and takes no more.
    public func shutDown() {
        let connection = state.withLock { state in
            state.isShutDown = true
            return state.connection
        }
        opening.finish()
        connection.client.beginGracefulShutdown()
        directClient.beginGracefulShutdown()
    }

    // MARK: Fragments

    public func put(
        _ id: FragmentID, pieces: BoundedQueue<Piece>, descriptor: @escaping @Sendable () -> [UInt8]
    ) async throws -> FragmentInfo {
        defer { pieces.cancel() }
        let header: [UInt8] = try Chunkflow_Storage_V1_PutHeader.with {
            $0.name = Wire.name(id)
        }.serializedBytes()
        return try await streaming { client, watch in
            let progress = PutProgress()
            let request = StreamingClientRequest(of: TransferFrame.self, metadata: self.metadata) { writer in
                defer { progress.end() }
                try await writer.write(.header(header))
                watch.end()
                while let piece = await progress.next(of: pieces) {
                    try await watch.waiting { try await writer.write(.piece(piece)) }
                    progress.sent(piece.bytes.readableBytes)
                }
                // From here on only the node is waited for. Without its end frame the put is broken off.
                watch.begin()
                if progress.isComplete { try await writer.write(.end(byteCount: progress.byteCount, descriptor: descriptor())) }
            }
            // For a connection.
            watch.begin()
            do {
                let stored = try await client.put(request, self.options(timeout: nil)) { response in
                    // Whatever the answer: nothing more needs to be sent.
                    pieces.cancel()
                    try await progress.waitForEnd(atMost: Self.endingTime, time: self.time)
                    return try Wire.info(try response.message.fragment)
                }
                guard stored == FragmentInfo(id: id, byteCount: progress.byteCount) else { throw NodeError.damagedInTransit(id) }
                return stored
            } catch {
                // When the pieces end badly the call does too, for no fault of the node's.
                if let failure = progress.failure { throw CallerFailed(underlying: failure) }
                throw error
            }
        }
    }

    public func get(
        _ id: FragmentID, range: Range<Int>?, deliver: @escaping @Sendable (Piece) async throws -> Void
    ) async throws -> FragmentInfo {
        // Of more than a piece, one can be received while another is sent on.
        let placement: ConnectionPlacement = range.map { $0.count > Piece.maximumSize } ?? true ? .elsewhere : .here
        let delivered = Atomic(0)
        let isReceivers = Atomic(false)
        do {
            return try await ConnectionPlacement.$current.withValue(placement) {
                try await get(id, range: range, unverified: true) { piece in
                    do {
                        try await deliver(piece)
                    } catch {
                        isReceivers.store(true, ordering: .relaxed)
                        throw error
                    }
                    delivered.add(piece.bytes.readableBytes, ordering: .relaxed)
                }
            }
        } catch NodeError.damagedInTransit where !isReceivers.load(ordering: .relaxed) {
            // Or before: the node looks at it now, and knows then what to say of it, and what to do.
            let offset = Atomic(0)
            let known = delivered.load(ordering: .relaxed)
            return try await get(id, range: range, unverified: false) { piece in
                let end = offset.add(piece.bytes.readableBytes, ordering: .relaxed).newValue
                guard end > known else { return }
                try await deliver(piece.dropping(max(0, known - (end - piece.bytes.readableBytes))))
            }
        }
    }

    private func get(
        _ id: FragmentID, range: Range<Int>?, unverified: Bool, deliver: @escaping @Sendable (Piece) async throws -> Void
    ) async throws -> FragmentInfo {
        let request = Chunkflow_Storage_V1_GetRequest.with {
            $0.name = Wire.name(id)
            if let range { $0.range = Wire.range(range) }
            $0.unverified = unverified
        }
        let get: @Sendable (any FragmentClient, StallWatch) async throws -> FragmentInfo = { client, watch in
            watch.begin()
            return try await client.get(ClientRequest(message: request, metadata: self.metadata), self.options(timeout: nil)) { frames in
                let (info, byteCount) = try await Self.receive(id, frames, watch: watch, deliver: deliver)
                guard info.id == id, byteCount == Self.byteCount(of: range, in: info) else { throw NodeError.damagedInTransit(id) }
                return info
            }
        }
        return try await streaming(get)
    }

    /// Bytes of the whole blocks that a read delivers.
    private static func byteCount(of range: Range<Int>?, in fragment: FragmentInfo) -> Int {
        guard let range else { return fragment.byteCount }
        guard !range.isEmpty else { return 0 }
        let start = range.lowerBound / Piece.blockSize * Piece.blockSize
        let end = Piece.blockCount(forByteCount: range.upperBound) * Piece.blockSize
        return min(end, fragment.byteCount) - start
    }

    /// What the caller's own side threw, the pieces of a put or the receiver of a get: no fault of the node's.
    private struct CallerFailed: Error { let underlying: any Error }

    private static func receive(
        _ id: FragmentID, _ frames: RPCAsyncSequence<TransferFrame, any Error>, watch: StallWatch,
        deliver: @Sendable (Piece) async throws -> Void
    ) async throws -> (info: FragmentInfo, byteCount: Int) {
        var info: FragmentInfo?
        var byteCount = 0
        for try await frame in frames {
            watch.end()
            switch frame {
            case .header(let bytes):
                info = try Wire.info(try Chunkflow_Storage_V1_GetSummary(serializedBytes: bytes).fragment)
            case .piece(let piece):
                // Only the last may end within a block.
                guard byteCount % Piece.blockSize == 0 else { throw MalformedFrame() }
                guard piece.verify() else { throw NodeError.damagedInTransit(id) }
                byteCount += piece.bytes.readableBytes
                do { try await deliver(piece) } catch { throw CallerFailed(underlying: error) }
            // It is for sending only.
            case .stored: throw MalformedFrame()
            case .end(let sent, _):
                guard let info, sent == byteCount else { throw NodeError.damagedInTransit(id) }
                return (info, byteCount)
            }
            watch.begin()
        }
        throw MalformedFrame()
    }

    public func descriptor(of id: FragmentID) async throws -> [UInt8] {
        let request = Chunkflow_Storage_V1_GetDescriptorRequest.with { $0.name = Wire.name(id) }
        return Array(try await unary { try await $0.getDescriptor(request, metadata: $1, options: $2) }.descriptor)
    }

    public func delete(_ ids: [FragmentID]) async throws {
        let request = Chunkflow_Storage_V1_DeleteRequest.with { $0.names = ids.map(Wire.name) }
        _ = try await unary { try await $0.delete(request, metadata: $1, options: $2) }
    }

    public func stat(_ id: FragmentID) async throws -> FragmentInfo? {
        let request = Chunkflow_Storage_V1_StatRequest.with { $0.name = Wire.name(id) }
        let response = try await unary { try await $0.stat(request, metadata: $1, options: $2) }
        return response.hasFragment ? try Wire.info(response.fragment) : nil
    }

    public func list(after cursor: ListCursor?, limit: Int) async throws -> FragmentPage {
        let request = Chunkflow_Storage_V1_ListRequest.with {
            if let cursor { $0.cursor = cursor.value }
            $0.limit = UInt32(clamping: limit)
        }
        let response = try await unary { try await $0.list(request, metadata: $1, options: $2) }
        return FragmentPage(
            fragments: try response.fragments.map(Wire.info), next: response.hasNext ? ListCursor(value: response.next) : nil)
    }

    public func quarantined(limit: Int) async throws -> [FragmentID] {
        let request = Chunkflow_Storage_V1_ListRequest.with {
            $0.limit = UInt32(clamping: limit)
            $0.quarantined = true
        }
        return try await unary { try await $0.list(request, metadata: $1, options: $2) }.fragments.map { try Wire.info($0).id }
    }

    // MARK: The node

    public func information() async throws -> NodeInformation {
        try Wire.information(try await unary { try await $0.getInformation(.init(), metadata: $1, options: $2) })
    }

    public func claim(for cluster: ClusterID) async throws -> NodeInformation {
        let request = Chunkflow_Storage_V1_ClaimRequest.with { $0.cluster = Data(cluster.bytes) }
        return try Wire.information(try await unary { try await $0.claim(request, metadata: $1, options: $2) })
    }

    public func pull(_ id: FragmentID, from sources: [Peer]) async throws -> FragmentInfo {
        let request = Chunkflow_Storage_V1_PullRequest.with {
            $0.name = Wire.name(id)
            $0.sources = sources.map(Wire.peer)
        }
        let response = try await unary(timeout: timeouts.pull) { try await $0.pull(request, metadata: $1, options: $2) }
        return try Wire.info(response.fragment)
    }

    public func reconstruct(_ id: FragmentID, code: ErasureCode, from sources: [FragmentSource]) async throws -> FragmentInfo {
        let request = Chunkflow_Storage_V1_ReconstructRequest.with {
            $0.name = Wire.name(id)
            $0.dataCount = UInt32(code.dataCount)
            $0.parityCount = UInt32(code.parityCount)
            $0.sources = sources.map(Wire.source)
        }
        let response = try await unary(timeout: timeouts.pull) { try await $0.reconstruct(request, metadata: $1, options: $2) }
        return try Wire.info(response.fragment)
    }

    // MARK: Calls

    private func options(timeout: Duration?) -> CallOptions {
        var options = CallOptions.defaults
        options.timeout = timeout
        // A node that is known to be away is said so at once.
        options.waitForReady = false
        options.maxRequestMessageBytes = TransferFrame.maximumSize
        options.maxResponseMessageBytes = TransferFrame.maximumSize
        return options
    }

    private func unary<Response: Sendable>(
        timeout: Duration? = nil,
        _ call:
            @escaping @Sendable (
                Chunkflow_Storage_V1_StorageNode.Client<HTTP2ClientTransport.Posix>, Metadata, CallOptions
            ) async throws -> Response
    ) async throws -> Response {
        let limit = timeout ?? timeouts.call
        return try await translating(mayReset: nil) { connection in
            let node = Chunkflow_Storage_V1_StorageNode.Client(wrapping: connection.client)
            // gRPC's own timeout begins with the stream; ours covers the wait for a connection too.
            return try await withDeadline(limit, time: self.time) { try await call(node, self.metadata, self.options(timeout: limit)) }
        }
    }

    private func streaming<Value: Sendable>(
        _ body: @escaping @Sendable (any FragmentClient, StallWatch) async throws -> Value
    ) async throws -> Value {
        // Not by a node of an earlier version, nor by something in between that takes HTTP/2 only.
        let isDirect = await direct.isUnderstood()
        try Task.checkCancellation()
        return try await translating(mayReset: !isDirect) { connection in
            try await StallWatch.run(limit: self.timeouts.stall, time: self.time) { watch in
                if isDirect { try await body(self.directClient, watch) } else { try await body(connection.client, watch) }
            }
        }
    }

    /// Every way in which a call can end badly, as ``NodeError``; what the caller's side threw, and cancellation, as they are.
    /// - Parameter mayReset: whether a failure may have reset a stream of the HTTP/2 connection; nil for a short call: one that was answered
    ///   has ended its stream in order.
    private func translating<Value>(mayReset: Bool?, _ body: (NodeConnection) async throws -> Value) async throws -> Value {
        let connection = connection
        do {
            return try await body(connection)
        } catch {
            if mayReset ?? !(error is RPCError) { countReset(on: connection) }
            if Task.isCancelled { throw CancellationError() }
            switch error {
            case let error as CallerFailed: throw error.underlying
            case let error as NodeError: throw error
            case let error as RPCError: throw seen(NodeError(error, address: address), on: connection)
            case is StallWatch.Stalled: throw unreachable("no progress for \(timeouts.stall)", on: connection)
            case is DeadlineExceeded: throw unreachable("no answer in time", on: connection)
            default: throw unreachable("\(error)", on: connection)
            }
        }
    }

    /// Adds what this side knows to a node that could not be reached.
    private func seen(_ error: NodeError, on connection: NodeConnection) -> NodeError {
        guard case .unreachable(address, let detail) = error else { return error }
        return unreachable(detail, on: connection)
    }

    private func unreachable(_ detail: String, on connection: NodeConnection) -> NodeError {
        .unreachable(address: address, detail: connection.failed(detail))
    }
}

/// A client of the methods that carry fragments, whatever its transport.
private protocol FragmentClient: Sendable {
    func put(
        _ request: StreamingClientRequest<TransferFrame>, _ options: CallOptions,
        _ receive: @escaping @Sendable (ClientResponse<Chunkflow_Storage_V1_PutResponse>) async throws -> FragmentInfo
    ) async throws -> FragmentInfo

    func get(
        _ request: ClientRequest<Chunkflow_Storage_V1_GetRequest>, _ options: CallOptions,
        _ receive: @escaping @Sendable (RPCAsyncSequence<TransferFrame, any Error>) async throws -> FragmentInfo
    ) async throws -> FragmentInfo
}

extension GRPCClient: FragmentClient {
    fileprivate func put(
        _ request: StreamingClientRequest<TransferFrame>, _ options: CallOptions,
        _ receive: @escaping @Sendable (ClientResponse<Chunkflow_Storage_V1_PutResponse>) async throws -> FragmentInfo
    ) async throws -> FragmentInfo {
        try await clientStreaming(
            request: request, descriptor: FragmentTransfer.put, serializer: TransferFrameSerializer(),
            deserializer: ProtobufDeserializer<Chunkflow_Storage_V1_PutResponse>(), options: options, onResponse: receive)
    }

    fileprivate func get(
        _ request: ClientRequest<Chunkflow_Storage_V1_GetRequest>, _ options: CallOptions,
        _ receive: @escaping @Sendable (RPCAsyncSequence<TransferFrame, any Error>) async throws -> FragmentInfo
    ) async throws -> FragmentInfo {
        try await serverStreaming(
            request: request, descriptor: FragmentTransfer.get, serializer: ProtobufSerializer<Chunkflow_Storage_V1_GetRequest>(),
            deserializer: TransferFrameDeserializer(), options: options
        ) { try await receive($0.messages) }
    }
}

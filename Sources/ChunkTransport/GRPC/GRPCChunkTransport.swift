internal import ClusterProtocol
public import Core
internal import Foundation
internal import GRPCCore
internal import GRPCNIOTransportHTTP2Posix
internal import GRPCProtobuf
internal import NIOCore
internal import SwiftProtobuf

/// A storage node across the network. One HTTP/2 connection, made when it is first needed and again whenever it was lost.
///
/// Keep ``run()`` running while calls are made. Safe to use from any task.
public final class GRPCChunkTransport: ChunkTransport {
    private typealias Client = GRPCClient<HTTP2ClientTransport.Posix>

    /// `host:port` of the node.
    public let address: String
    private let client: Client
    private let metadata: Metadata
    private let name: NodeName?
    private let timeouts: TransportTimeouts
    private let time: any TimeSource

    /// - Parameters:
    ///   - address: `host:port`; the name is resolved when a connection is made.
    ///   - secret: the cluster secret, sent with every call.
    /// - Throws: ``NodeError/unreachable`` when `address` is not of the form `host:port`.
    public init(address: String, secret: String?, timeouts: TransportTimeouts = TransportTimeouts(), time: any TimeSource) throws {
        guard let parsed = HostPort(address) else {
            throw NodeError.unreachable(address: address, detail: "not an address of the form host:port")
        }
        self.address = address
        self.timeouts = timeouts
        self.time = time
        var metadata = Metadata()
        metadata.addString(ClusterMetadata.currentVersion, forKey: ClusterMetadata.version)
        if let secret { metadata.addString(secret, forKey: ClusterMetadata.secret) }
        self.metadata = metadata
        let config = HTTP2ClientTransport.Posix.Config.defaults { config in
            config.http2.maxFrameSize = ClusterTransportSettings.frameSize
            config.http2.targetWindowSize = ClusterTransportSettings.windowSize
            // A node that is back is used again within about a second.
            config.backoff = .init(initial: .milliseconds(100), max: .seconds(1), multiplier: 1.6, jitter: 0.2)
            config.connection.maxIdleTime = nil
            config.connection.keepalive = .init(time: .seconds(10), timeout: .seconds(5), allowWithoutCalls: true)
        }
        let target: any ResolvableTarget
        (target, name) = Self.target(parsed, time: time)
        var resolvers = NameResolverRegistry.defaults
        resolvers.registerFactory(NodeNameResolvers())
        do {
            client = GRPCClient(
                transport: try HTTP2ClientTransport.Posix(
                    target: target, transportSecurity: .plaintext, config: config, resolverRegistry: resolvers))
        } catch {
            throw NodeError.unreachable(address: address, detail: "\(error)")
        }
    }

    private static func target(_ address: HostPort, time: any TimeSource) -> (any ResolvableTarget, NodeName?) {
        switch try? NIOCore.SocketAddress(ipAddress: address.host, port: address.port) {
        case .v4: return (.ipv4(address: address.host, port: address.port), nil)
        case .v6: return (.ipv6(address: address.host, port: address.port), nil)
        default:
            let name = NodeName(address, time: time)
            return (name, name)
        }
    }

    /// Keeps the connection until ``shutDown()``.
    public func run() async {
        // What goes wrong with a connection is told to the calls that needed it.
        try? await client.runConnections()
    }

    /// Lets calls in progress finish and takes no more.
    public func shutDown() { client.beginGracefulShutdown() }

    // MARK: Fragments

    public func put(_ id: FragmentID, descriptor: [UInt8], pieces: BoundedQueue<Piece>) async throws -> FragmentInfo {
        defer { pieces.cancel() }
        let header: [UInt8] = try Chunkflow_Storage_V1_PutHeader.with {
            $0.name = Wire.name(id)
            $0.descriptor = Data(descriptor)
        }.serializedBytes()
        return try await streaming { watch in
            let progress = PutProgress()
            let request = StreamingClientRequest(of: TransferFrame.self, metadata: self.metadata) { writer in
                try await writer.write(.header(header))
                watch.end()
                while let piece = try await progress.next(of: pieces) {
                    try await watch.waiting { try await writer.write(.piece(piece)) }
                    progress.sent(piece.bytes.readableBytes)
                }
                // From here on only the node is waited for.
                watch.begin()
                try await writer.write(.end(byteCount: progress.byteCount))
            }
            // For a connection.
            watch.begin()
            do {
                let stored = try await self.client.clientStreaming(
                    request: request, descriptor: FragmentTransfer.put, serializer: TransferFrameSerializer(),
                    deserializer: ProtobufDeserializer<Chunkflow_Storage_V1_PutResponse>(), options: self.options(timeout: nil)
                ) { response in
                    // Whatever the answer: nothing more needs to be sent.
                    defer { pieces.cancel() }
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
        let request = Chunkflow_Storage_V1_GetRequest.with {
            $0.name = Wire.name(id)
            if let range { $0.range = Wire.range(range) }
        }
        return try await streaming { watch in
            watch.begin()
            return try await self.client.serverStreaming(
                request: ClientRequest(message: request, metadata: self.metadata), descriptor: FragmentTransfer.get,
                serializer: ProtobufSerializer<Chunkflow_Storage_V1_GetRequest>(), deserializer: TransferFrameDeserializer(),
                options: self.options(timeout: nil)
            ) { response in
                let (info, byteCount) = try await Self.receive(id, response.messages, watch: watch, deliver: deliver)
                guard info.id == id, byteCount == Self.byteCount(of: range, in: info) else { throw NodeError.damagedInTransit(id) }
                return info
            }
        }
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
                guard piece.verify() else { throw NodeError.damagedInTransit(id) }
                byteCount += piece.bytes.readableBytes
                do { try await deliver(piece) } catch { throw CallerFailed(underlying: error) }
            case .end(let sent):
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
        let node = Chunkflow_Storage_V1_StorageNode.Client(wrapping: client)
        return try await translating {
            // gRPC's own timeout begins with the stream; ours covers the wait for a connection too.
            try await withDeadline(limit, time: self.time) { try await call(node, self.metadata, self.options(timeout: limit)) }
        }
    }

    private func streaming<Value: Sendable>(_ body: @escaping @Sendable (StallWatch) async throws -> Value) async throws -> Value {
        try await translating { try await StallWatch.run(limit: self.timeouts.stall, time: self.time, body) }
    }

    /// Every way in which a call can end badly, as ``NodeError``; what the caller's side threw, and cancellation, as they are.
    private func translating<Value>(_ body: () async throws -> Value) async throws -> Value {
        do {
            return try await body()
        } catch {
            if Task.isCancelled { throw CancellationError() }
            switch error {
            case let error as CallerFailed: throw error.underlying
            case let error as NodeError: throw error
            case let error as RPCError: throw seen(NodeError(error, address: address))
            case is StallWatch.Stalled: throw unreachable("no progress for \(timeouts.stall)")
            case is DeadlineExceeded: throw unreachable("no answer in time")
            default: throw unreachable("\(error)")
            }
        }
    }

    /// Adds what this side knows to a node that could not be reached.
    private func seen(_ error: NodeError) -> NodeError {
        guard case .unreachable(address, let detail) = error else { return error }
        return unreachable(detail)
    }

    private func unreachable(_ detail: String) -> NodeError {
        guard let name else { return .unreachable(address: address, detail: detail) }
        name.doubt()
        return .unreachable(address: address, detail: name.isUnknown ? "the name \(name.host) does not resolve" : detail)
    }
}

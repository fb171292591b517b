import ClusterProtocol
import GRPCCore
import GRPCNIOTransportHTTP2Posix
import GRPCProtobuf
import StorageService

/// A gRPC client without our own client's manners.
enum RawClient {
    typealias Client = GRPCClient<HTTP2ClientTransport.Posix>

    static func with<Value: Sendable>(
        host: String = "127.0.0.1", port: Int, _ body: @escaping @Sendable (Client) async throws -> Value
    ) async throws -> Value {
        let target: any ResolvableTarget =
            host.contains(":") ? .ipv6(address: host, port: port) : .ipv4(address: host, port: port)
        let transport = try HTTP2ClientTransport.Posix(target: target, transportSecurity: .plaintext)
        return try await withGRPCClient(transport: transport) { try await body($0) }
    }

    /// Sends `messages` as the bytes that they are, as the frames of a put.
    static func put(_ client: Client, _ messages: [[UInt8]]) async throws {
        var options = CallOptions.defaults
        options.maxRequestMessageBytes = 64 << 20
        let request = StreamingClientRequest(of: [UInt8].self) { writer in
            for message in messages { try await writer.write(message) }
        }
        try await client.clientStreaming(
            request: request, descriptor: FragmentTransfer.put, serializer: RawSerializer(),
            deserializer: ProtobufDeserializer<Chunkflow_Storage_V1_PutResponse>(), options: options
        ) { _ = try $0.message }
    }

    static func frame(_ frame: TransferFrame) throws -> [UInt8] {
        let bytes: ByteArray = try TransferFrameSerializer().serialize(frame)
        return bytes.bytes
    }
}

struct RawSerializer: MessageSerializer {
    func serialize<Bytes: GRPCContiguousBytes>(_ message: [UInt8]) throws -> Bytes { Bytes(message) }
}

/// Bytes as the serializers want them, outside a transport.
struct ByteArray: GRPCContiguousBytes {
    var bytes: [UInt8]

    init(_ bytes: [UInt8]) { self.bytes = bytes }
    init(repeating byte: UInt8, count: Int) { bytes = Array(repeating: byte, count: count) }
    init(_ sequence: some Sequence<UInt8>) { bytes = Array(sequence) }
    var count: Int { bytes.count }
    func withUnsafeBytes<R>(_ body: (UnsafeRawBufferPointer) throws -> R) rethrows -> R { try bytes.withUnsafeBytes(body) }
    mutating func withUnsafeMutableBytes<R>(_ body: (UnsafeMutableRawBufferPointer) throws -> R) rethrows -> R {
        try bytes.withUnsafeMutableBytes(body)
    }
}

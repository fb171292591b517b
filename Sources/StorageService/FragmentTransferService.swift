internal import ChunkTransport
internal import ClusterProtocol
internal import Core
internal import DirectTransport
internal import GRPCCore
internal import GRPCProtobuf
internal import NIOCore
internal import SwiftProtobuf
import Synchronization

/// The two streams that carry fragments, as methods of a node.
struct FragmentTransferService: RegistrableRPCService {
    /// Pieces that wait for the disk, for each stream.
    private static let piecesInFlight = 2

    let node: any ChunkTransport
    /// Bytes of payload that one put may carry.
    let maximumFragmentSize: Int

    func registerMethods<Transport: ServerTransport>(with router: inout RPCRouter<Transport>) {
        router.registerHandler(
            forMethod: FragmentTransfer.put, deserializer: TransferFrameDeserializer(),
            serializer: ProtobufSerializer<Chunkflow_Storage_V1_PutResponse>()
        ) { request, _ in
            let info = try await answering { try await whileWanted { try await put(request.messages) } }
            let response = Chunkflow_Storage_V1_PutResponse.with { $0.fragment = Wire.fragment(info) }
            return StreamingServerResponse(single: ServerResponse(message: response))
        }
        let sendsFiles = Transport.Bytes.self is any GatheredBytes.Type
        router.registerHandler(
            forMethod: FragmentTransfer.get, deserializer: ProtobufDeserializer<Chunkflow_Storage_V1_GetRequest>(),
            serializer: TransferFrameSerializer()
        ) { request, _ in
            let request = try await ServerRequest(stream: request).message
            return StreamingServerResponse { writer in
                try await answering { try await whileWanted { try await get(request, sendsFiles: sendsFiles, writer) } }
                return [:]
            }
        }
    }

    private func put(_ frames: RPCAsyncSequence<TransferFrame, any Error>) async throws -> FragmentInfo {
        var iterator = frames.makeAsyncIterator()
        guard case .header(let bytes) = try await iterator.next() else { throw NodeError.invalid(detail: "a stream without header") }
        guard let header = try? Chunkflow_Storage_V1_PutHeader(serializedBytes: bytes) else { throw MalformedFrame() }
        let id = try Wire.fragmentID(header.name)
        try Self.check(descriptorSize: header.descriptor.count)
        let pieces = BoundedQueue<Piece>(capacity: Self.piecesInFlight)
        let descriptor = ReceivedDescriptor(Array(header.descriptor))
        return try await withThrowingTaskGroup(of: FragmentInfo.self) { group in
            group.addTask { try await node.put(id, pieces: pieces) { descriptor.bytes } }
            do {
                let ending = try await receive(&iterator, into: pieces)
                // Before the pieces end: the node asks for it then.
                if !ending.isEmpty { descriptor.bytes = ending }
                pieces.finish()
            } catch is BoundedQueue<Piece>.Cancelled {
                // The node has stopped taking pieces; its put says why.
            } catch {
                pieces.finish(throwing: error)
                // It may be waiting for something other than pieces.
                group.cancelAll()
            }
            guard let info = try await group.next() else { throw CancellationError() }
            return info
        }
    }

    private static func check(descriptorSize: Int) throws {
        guard descriptorSize <= TransportLimits.maximumDescriptorSize else {
            throw NodeError.invalid(detail: "a descriptor of \(descriptorSize) bytes, at most \(TransportLimits.maximumDescriptorSize)")
        }
    }

    /// - Returns: the descriptor that came with the end; empty when none did.
    private func receive(
        _ iterator: inout RPCAsyncSequence<TransferFrame, any Error>.AsyncIterator, into pieces: BoundedQueue<Piece>
    ) async throws -> [UInt8] {
        var byteCount = 0
        while let frame = try await iterator.next() {
            switch frame {
            case .piece(let piece):
                byteCount += piece.bytes.readableBytes
                guard byteCount <= maximumFragmentSize else {
                    throw NodeError.invalid(detail: "a fragment beyond \(maximumFragmentSize) bytes")
                }
                try await pieces.send(piece)
            case .end(let sent, let descriptor):
                guard sent == byteCount else { throw MalformedFrame() }
                try Self.check(descriptorSize: descriptor.count)
                return descriptor
            case .header, .stored: throw MalformedFrame()
            }
        }
        // Without its end frame the stream was broken off.
        throw MalformedFrame()
    }

    /// - Parameter sendsFiles: whether the transport can; for another nothing is gained by leaving a piece unread.
    private func get(_ request: Chunkflow_Storage_V1_GetRequest, sendsFiles: Bool, _ writer: RPCWriter<TransferFrame>) async throws {
        let id = try Wire.fragmentID(request.name)
        let range = request.hasRange ? try Wire.range(request.range) : nil
        let counter = ByteCounter()
        let info: FragmentInfo
        if request.unverified, sendsFiles, let stored = node as? any StoredFragments {
            info = try await stored.getUnverified(id, range: range) { piece in
                counter.add(piece.byteCount)
                switch piece {
                case .verified(let piece): try await writer.write(.piece(piece))
                case .unread(let slice, let checksums): try await writer.write(.stored(slice, checksums: checksums))
                }
            }
        } else {
            info = try await node.get(id, range: range) { piece in
                counter.add(piece.bytes.readableBytes)
                try await writer.write(.piece(piece))
            }
        }
        let header = Chunkflow_Storage_V1_GetSummary.with { $0.fragment = Wire.fragment(info) }
        try await writer.write(.header(try header.serializedBytes()))
        try await writer.write(.end(byteCount: counter.value))
    }
}

/// The descriptor of a fragment that is being received: what the header says, until the end says another.
private final class ReceivedDescriptor: Sendable {
    private let value: Mutex<[UInt8]>

    init(_ bytes: [UInt8]) { value = Mutex(bytes) }

    var bytes: [UInt8] {
        get { value.withLock { $0 } }
        set { value.withLock { $0 = newValue } }
    }
}

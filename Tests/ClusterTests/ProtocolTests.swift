import ChunkTransport
import ClusterProtocol
import Core
import GRPCCore
import GRPCProtobuf
import SwiftProtobuf
import NIOCore
import Testing

@Suite("The protocol as others could speak it")
struct ProtocolTests {
    private static let id = ClusterFixture.id()

    private static func header() throws -> [UInt8] {
        try RawClient.frame(
            .header(Chunkflow_Storage_V1_PutHeader.with { $0.name = Wire.name(id) }.serializedBytes()))
    }

    enum Malformation: CaseIterable {
        case nothing, noHeader, secondHeader, garbageHeader, unknownTag, emptyFrame, wrongBlockCount, truncatedChecksums, oversizedPiece
        case noEnd, wrongCount, shortEnd
    }

    private static func messages(_ malformation: Malformation) throws -> [[UInt8]] {
        let piece = try RawClient.frame(.piece(Piece(checksumming: ByteBuffer(bytes: [1, 2, 3]))))
        let end = try RawClient.frame(.end(byteCount: 3))
        return switch malformation {
        case .nothing: []
        case .noHeader: [piece, end]
        case .secondHeader: [try header(), piece, try header(), end]
        case .garbageHeader: [[1, 0xFF, 0xFF, 0xFF], piece, end]
        case .unknownTag: [try header(), [9, 1, 2, 3], piece, end]
        case .emptyFrame: [try header(), [], piece, end]
        case .wrongBlockCount: [try header(), [2, 2, 0] + [UInt8](repeating: 0, count: 8) + [1, 2, 3], end]
        case .truncatedChecksums: [try header(), [2, 255, 255, 0, 0], end]
        case .oversizedPiece:
            [try header(), try RawClient.frame(.piece(Piece(checksumming: ByteBuffer(repeating: 1, count: Piece.maximumSize + 1)))), end]
        case .noEnd: [try header(), piece]
        case .wrongCount: [try header(), piece, try RawClient.frame(.end(byteCount: 4))]
        case .shortEnd: [try header(), piece, Array(end.dropLast())]
        }
    }

    @Test("a put that does not follow the protocol stores nothing and is refused as invalid", arguments: Malformation.allCases)
    func malformedPut(malformation: Malformation) async throws {
        let node = MemoryNode()
        let running = try await RunningServer.start(node)
        try await running.whileRunning {
            try await RawClient.with(port: running.port) { client in
                let error = await #expect(throws: RPCError.self) { try await RawClient.put(client, Self.messages(malformation)) }
                #expect(error?.code == .invalidArgument)
                #expect(node.fragments.isEmpty)
            }
        }
    }

    @Test("a message beyond the limit ends the call, not the server")
    func oversizedMessage() async throws {
        let node = MemoryNode()
        let running = try await RunningServer.start(node)
        try await running.whileRunning {
            try await RawClient.with(port: running.port) { client in
                let huge = [2] + [UInt8](repeating: 0, count: TransferFrame.maximumSize)
                await #expect(throws: RPCError.self) { try await RawClient.put(client, [Self.header(), huge]) }
            }
            #expect(node.fragments.isEmpty)
            try await ClusterFixture.withTransport(to: running.address) { transport in
                _ = try await transport.put(Self.id, [1, 2, 3])
            }
            #expect(node.fragments.count == 1)
        }
    }

    @Test("names and identifiers of the wrong form are refused as invalid")
    func malformedNames() async throws {
        let node = MemoryNode()
        let running = try await RunningServer.start(node)
        try await running.whileRunning {
            try await RawClient.with(port: running.port) { client in
                let calls = Chunkflow_Storage_V1_StorageNode.Client(wrapping: client)
                let names = [
                    Chunkflow_Storage_V1_FragmentName(), .with { $0.blob = .init(repeating: 0, count: 15) },
                    .with {
                        $0.blob = .init(repeating: 0, count: 16)
                        $0.number = 256
                    },
                ]
                for name in names {
                    let error = await #expect(throws: RPCError.self) { try await calls.stat(.with { $0.name = name }) }
                    #expect(error?.code == .invalidArgument)
                }
                let error = await #expect(throws: RPCError.self) { try await calls.claim(.with { $0.cluster = .init([1, 2]) }) }
                #expect(error?.code == .invalidArgument)
            }
        }
    }

    @Test("a caller of another protocol version is refused; one that names none is served")
    func versions() async throws {
        let node = MemoryNode()
        let running = try await RunningServer.start(node)
        try await running.whileRunning {
            try await RawClient.with(port: running.port) { client in
                let calls = Chunkflow_Storage_V1_StorageNode.Client(wrapping: client)
                _ = try await calls.getInformation(.init())
                _ = try await calls.getInformation(.init(), metadata: [ClusterMetadata.version: "1"])
                let error = await #expect(throws: RPCError.self) {
                    try await calls.getInformation(.init(), metadata: [ClusterMetadata.version: "2"])
                }
                #expect(
                    error.map { NodeError($0, address: "") }
                        == .incompatible(detail: "the caller speaks version 2 of the protocol between servers, this server version 1"))
            }
        }
    }

    @Test("a server that speaks another protocol is unreachable, not misunderstood")
    func foreignServer() async throws {
        let running = try await RunningServer.healthOnly()
        try await running.whileRunning {
            try await ClusterFixture.withTransport(to: running.address) { transport in
                #expect(await nodeError { try await transport.information() }?.isUnreachable == true)
                #expect(await nodeError { try await transport.bytes(Self.id) }?.isUnreachable == true)
                #expect(await nodeError { try await transport.put(Self.id, [1]) }?.isUnreachable == true)
            }
        }
    }
}

@Suite("Frames")
struct FrameTests {
    @Test("frames survive being written and read", arguments: [1, 65_535, 65_536, 65_537, Piece.maximumSize])
    func pieces(size: Int) throws {
        let piece = Piece(checksumming: ByteBuffer(bytes: ClusterFixture.bytes(size)))
        guard case .piece(let read) = try Self.roundTrip(.piece(piece)) else {
            Issue.record("not a piece")
            return
        }
        #expect(read == piece)
    }

    @Test("headers and ends survive being written and read")
    func others() throws {
        guard case .header(let bytes) = try Self.roundTrip(.header([1, 2, 3])),
            case .end(let count, let descriptor) = try Self.roundTrip(.end(byteCount: .max, descriptor: [4, 5]))
        else {
            Issue.record("not what was written")
            return
        }
        #expect(bytes == [1, 2, 3])
        #expect(count == .max)
        #expect(descriptor == [4, 5])
    }

    @Test("whatever bytes arrive, reading them gives a frame or an error", arguments: [UInt64.random(in: 0 ... .max)])
    func garbage(seed: UInt64) throws {
        let random = SeededRandom(seed: seed)
        for _ in 0..<20_000 {
            var bytes = (0..<random.next(in: 0..<64)).map { _ in UInt8(truncatingIfNeeded: random.next()) }
            if !bytes.isEmpty { bytes[0] %= 5 }
            if bytes.count > 2, random.next(in: 0..<2) == 0 { (bytes[1], bytes[2]) = (UInt8(random.next(in: 0..<3)), 0) }
            guard let frame = try? TransferFrameDeserializer().deserialize(ByteArray(bytes)) else { continue }
            #expect(try RawClient.frame(frame) == bytes, "seed \(seed)")
        }
    }

    private static func roundTrip(_ frame: TransferFrame) throws -> TransferFrame {
        try TransferFrameDeserializer().deserialize(ByteArray(RawClient.frame(frame)))
    }
}

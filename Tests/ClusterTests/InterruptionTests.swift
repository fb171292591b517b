import ChunkTransport
import Core
import NIOCore
import Synchronization
import Testing

@Suite("Calls that are cut off")
struct InterruptionTests {
    private static let id = ClusterFixture.id()
    private static let piece = Piece(checksumming: ByteBuffer(repeating: 7, count: Piece.maximumSize))
    private static let impatient = TransportTimeouts(call: .milliseconds(300), stall: .milliseconds(300), pull: .milliseconds(300))

    @Test("a caller that is cancelled in mid-put stores nothing, and the node knows at once")
    func cancelledPut() async throws {
        let node = MemoryNode()
        try await ClusterFixture.withNode(node) { transport in
            let pieces = BoundedQueue<Piece>(capacity: 4)
            let put = Task { try await transport.put(Self.id, descriptor: [], pieces: pieces) }
            for _ in 0..<3 { try await pieces.send(Self.piece) }
            try await eventually("the node takes pieces") { node.piecesTaken == 3 }
            put.cancel()
            await #expect(throws: CancellationError.self) { try await put.value }
            try await eventually("the node has given the put up") { node.failedPuts == 1 }
            #expect(node.fragments.isEmpty)
            await #expect(throws: BoundedQueue<Piece>.Cancelled.self) { while true { try await pieces.send(Self.piece) } }
        }
    }

    @Test("a caller that is cancelled while the node is about to store stores nothing")
    func cancelledBeforeStoring() async throws {
        let node = MemoryNode()
        let door = Door()
        node.behave { $0.beforeStoring = { try await door.pass() } }
        try await ClusterFixture.withNode(node) { transport in
            let put = Task { try await transport.put(Self.id, [1, 2, 3]) }
            try await eventually("the node is about to store") { door.waiting == 1 }
            put.cancel()
            await #expect(throws: CancellationError.self) { try await put.value }
            try await eventually("the node has given the put up") { node.failedPuts == 1 }
            #expect(node.fragments.isEmpty)
        }
    }

    @Test("a caller that is cancelled in mid-get ends the node's reading")
    func cancelledGet() async throws {
        let node = MemoryNode()
        node.store(Self.id, ClusterFixture.bytes(64 << 20))
        try await ClusterFixture.withNode(node) { transport in
            let door = Door()
            let get = Task { try await transport.get(Self.id, range: nil) { _ in try await door.pass() } }
            try await eventually("the first piece is there") { door.waiting == 1 }
            get.cancel()
            await #expect(throws: CancellationError.self) { try await get.value }
            try await eventually("the node has given the get up") { node.endedGets == 1 }
        }
    }

    @Test("a caller that is cancelled ends the pull that it asked for")
    func cancelledPull() async throws {
        let node = MemoryNode()
        let door = Door()
        node.behave { $0.beforeCall = { try await door.pass() } }
        try await ClusterFixture.withNode(node) { transport in
            let pull = Task { try await transport.pull(Self.id, from: []) }
            try await eventually("the node pulls") { door.waiting == 1 }
            pull.cancel()
            await #expect(throws: CancellationError.self) { try await pull.value }
            try await eventually("the node has given the pull up") { node.cancelledPulls == 1 }
        }
    }

    /// Pieces of 1 MiB sent in the tests of back-pressure, and how many may be under way: two windows of HTTP/2, ten messages in each
    /// of gRPC's queues, and what the kernel's socket buffers take, which grow as they like.
    private static let pieceCount = 160
    private static let aheadLimit = 64

    @Test("a get whose receiver is slow does not make the node read far ahead")
    func getBackPressure() async throws {
        let node = MemoryNode(pieceSize: Piece.maximumSize)
        node.store(Self.id, ClusterFixture.bytes(Self.pieceCount << 20))
        try await ClusterFixture.withNode(node) { transport in
            let door = Door()
            let get = Task { try await transport.get(Self.id, range: nil) { _ in try await door.pass() } }
            try await eventually("the first piece is there") { door.waiting == 1 }
            let read = try await Self.settled { node.piecesRead }
            #expect(read < Self.aheadLimit, "\(read) of \(Self.pieceCount) pieces read while none was taken")
            door.open()
            #expect(try await get.value.byteCount == Self.pieceCount << 20)
        }
    }

    @Test("a put to a slow node does not take far more pieces than the node does")
    func putBackPressure() async throws {
        let node = MemoryNode()
        let door = Door()
        node.behave { $0.beforeTaking = { _ in try await door.pass() } }
        try await ClusterFixture.withNode(node) { transport in
            let pieces = BoundedQueue<Piece>(capacity: 1)
            let put = Task { try await transport.put(Self.id, descriptor: [], pieces: pieces) }
            let sent = Mutex(0)
            let producer = Task {
                for _ in 0..<Self.pieceCount {
                    try await pieces.send(Self.piece)
                    sent.withLock { $0 += 1 }
                }
                pieces.finish()
            }
            let ahead = try await Self.settled { sent.withLock { $0 } }
            #expect(ahead < Self.aheadLimit, "\(ahead) of \(Self.pieceCount) pieces sent while none was taken")
            door.open()
            try await producer.value
            #expect(try await put.value.byteCount == Self.pieceCount << 20)
        }
    }

    /// The value of something that grows, once it no longer does.
    private static func settled(_ value: () -> Int) async throws -> Int {
        var last = value()
        var unchanged = 0
        while unchanged < 50 {
            try await Task.sleep(for: .milliseconds(2))
            let now = value()
            unchanged = now == last ? unchanged + 1 : 0
            last = now
        }
        return last
    }

    enum Silence: CaseIterable { case information, putWithoutTaking, putWithoutAnswer, get }

    @Test("a node that makes no progress becomes unreachable within the limit", arguments: Silence.allCases)
    func silence(_ silence: Silence) async throws {
        let node = MemoryNode()
        node.store(Self.id, ClusterFixture.bytes(1 << 20))
        let door = Door()
        node.behave { behaviour in
            switch silence {
            case .information: behaviour.beforeCall = { try await door.pass() }
            case .putWithoutTaking: behaviour.beforeTaking = { _ in try await door.pass() }
            case .putWithoutAnswer: behaviour.beforeStoring = { try await door.pass() }
            case .get: behaviour.beforeDelivering = { if $0 == 2 { try await door.pass() } }
            }
        }
        try await ClusterFixture.withNode(node, timeouts: Self.impatient) { transport in
            let start = ContinuousClock.now
            let error = await nodeError {
                switch silence {
                case .information: _ = try await transport.information()
                case .putWithoutTaking: try await transport.put(ClusterFixture.id(2), ClusterFixture.bytes(64 << 20))
                case .putWithoutAnswer: try await transport.put(ClusterFixture.id(2), [1])
                case .get: _ = try await transport.bytes(Self.id)
                }
            }
            #expect(error?.isUnreachable == true)
            let waited = ContinuousClock.now - start
            #expect(waited >= .milliseconds(300) && waited < .seconds(5), "\(waited)")
        }
    }

    @Test("a put whose producer is slow, and a get whose receiver is, are not taken for a stalled node")
    func patience() async throws {
        let node = MemoryNode()
        try await ClusterFixture.withNode(node, timeouts: Self.impatient) { transport in
            let pieces = BoundedQueue<Piece>(capacity: 1)
            let put = Task { try await transport.put(Self.id, descriptor: [], pieces: pieces) }
            try await pieces.send(Self.piece)
            try await Task.sleep(for: .milliseconds(700))
            try await pieces.send(Self.piece)
            pieces.finish()
            #expect(try await put.value.byteCount == 2 << 20)
            let slow = Mutex(true)
            let info = try await transport.get(Self.id, range: nil) { _ in
                let first = slow.withLock { slow in
                    defer { slow = false }
                    return slow
                }
                if first { try await Task.sleep(for: .milliseconds(700)) }
            }
            #expect(info.byteCount == 2 << 20)
        }
    }

    @Test("a node that dies in mid-put or mid-get becomes unreachable at once")
    func death() async throws {
        let node = MemoryNode()
        node.store(Self.id, ClusterFixture.bytes(64 << 20))
        let running = try await RunningServer.start(node)
        try await ClusterFixture.withTransport(to: running.address) { transport in
            let pieces = BoundedQueue<Piece>(capacity: 4)
            async let put = nodeError { try await transport.put(ClusterFixture.id(2), descriptor: [], pieces: pieces) }
            try await pieces.send(Self.piece)
            let door = Door()
            async let get = nodeError { try await transport.get(Self.id, range: nil) { _ in try await door.pass() } }
            try await eventually("both are under way") { door.waiting == 1 && node.piecesTaken == 1 }
            let start = ContinuousClock.now
            await running.kill()
            // Wakes the receiver, as a client that reads on would.
            door.open()
            #expect(await put?.isUnreachable == true)
            #expect(await get?.isUnreachable == true)
            #expect(ContinuousClock.now - start < .seconds(3))
            #expect(node.fragments.count == 1)
        }
    }

    @Test("a network that swallows everything makes the node unreachable within the limit", arguments: [false, true])
    func swallowedConnection(isUnderWay: Bool) async throws {
        let node = MemoryNode()
        let running = try await RunningServer.start(node)
        try await running.whileRunning {
            let wire = try await Wiretap.start(to: running.port)
            try await ClusterFixture.withTransport(to: wire.address, timeouts: Self.impatient) { transport in
                if isUnderWay { _ = try await transport.information() }
                wire.swallow()
                #expect(await nodeError { try await transport.put(Self.id, ClusterFixture.bytes(32 << 20)) }?.isUnreachable == true)
                #expect(await nodeError { try await transport.information() }?.isUnreachable == true)
                #expect(node.fragments.isEmpty)
            }
            try await wire.close()
        }
    }

    @Test("a connection that breaks in mid-put stores nothing, and the next call has a new one")
    func brokenConnection() async throws {
        let node = MemoryNode()
        let running = try await RunningServer.start(node)
        try await running.whileRunning {
            let wire = try await Wiretap.start(to: running.port)
            try await ClusterFixture.withTransport(to: wire.address) { transport in
                let pieces = BoundedQueue<Piece>(capacity: 4)
                async let put = nodeError { try await transport.put(Self.id, descriptor: [], pieces: pieces) }
                try await pieces.send(Self.piece)
                try await eventually("the put is under way") { node.piecesTaken == 1 }
                wire.cut()
                #expect(await put?.isUnreachable == true)
                try await eventually("the node has given the put up") { node.failedPuts == 1 }
                #expect(node.fragments.isEmpty)
                try await eventually("there is a new connection") { (try? await transport.information()) != nil }
            }
            try await wire.close()
        }
    }

    @Test("nobody listening: unreachable at once; a server that starts there later is used within about a second")
    func reconnection() async throws {
        let node = MemoryNode()
        let first = try await RunningServer.start(node)
        try await ClusterFixture.withTransport(to: first.address) { transport in
            _ = try await transport.information()
            await first.kill()
            let start = ContinuousClock.now
            #expect(await nodeError { try await transport.information() }?.isUnreachable == true)
            #expect(await nodeError { try await transport.put(Self.id, [1]) }?.isUnreachable == true)
            #expect(ContinuousClock.now - start < .seconds(1))
            for _ in 0..<20 {
                _ = await nodeError { try await transport.information() }
                try await Task.sleep(for: .milliseconds(100))
            }
            let second = try await RunningServer.start(node, port: first.port)
            try await second.whileRunning {
                try await eventually(within: .seconds(3), "the server is used again") {
                    (try? await transport.information()) != nil
                }
            }
        }
    }

    @Test("a name that nobody knows is unreachable soon, and the error says so", arguments: ["nobody.invalid:9001"])
    func unknownName(address: String) async throws {
        try await ClusterFixture.withTransport(to: address) { transport in
            for _ in 0..<3 {
                let errors = [
                    await nodeError { try await transport.information() },
                    await nodeError { try await transport.put(Self.id, [1]) },
                    await nodeError { try await transport.bytes(Self.id) },
                ]
                for error in errors {
                    #expect(error == .unreachable(address: address, detail: "the name nobody.invalid does not resolve"))
                }
            }
        }
    }

    @Test("a name is resolved, and every address behind it is tried")
    func knownName() async throws {
        let node = MemoryNode()
        let running = try await RunningServer.start(node)
        try await running.whileRunning {
            try await ClusterFixture.withTransport(to: "localhost:\(running.port)") { transport in
                let information = try await transport.information()
                #expect(information.id == node.id)
            }
        }
    }

    @Test("an address of the wrong form is refused where it is named", arguments: ["", "node", "node:", "node:65536", ":1", "::1:9001"])
    func malformedAddress(address: String) throws {
        #expect(throws: NodeError.self) { try GRPCChunkTransport(address: address, secret: nil, time: SystemTime()) }
    }
}

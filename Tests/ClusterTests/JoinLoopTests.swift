import ChunkTransport
import ClusterProtocol
import Core
import ObjectStore
import ServerAssembly
import ServiceLifecycle
import Synchronization
import Testing

@Suite("Joining, as a storage node does it")
struct JoinLoopTests {
    private static let node = NodeID(uuid: UUIDv7(high: 1, low: 2))
    private static let request = JoinRequest(node: node, address: "storage1:9001", instance: 5)

    /// A node that joins whoever listens on `port`.
    private final class Joining: Sendable {
        let time = ManualTime()
        let log = LogRecord()
        let group: ServiceGroup
        let task: Task<Void, any Error>

        init(
            port: Int, secret: String? = nil, version: String = ClusterMetadata.currentVersion, inGroup: Bool = false,
            address: @escaping @Sendable () async throws -> HostPort = { HostPort(host: "storage1", port: 9001) }
        ) throws {
            let client = try MembershipClient(
                distributor: HostPort(host: "127.0.0.1", port: port), secret: secret, timeout: .seconds(15), time: SystemTime(),
                protocolVersion: version)
            let loop = JoinLoop(
                client: client, node: JoinLoopTests.node, instance: 5, address: address, time: time, logger: log.logger)
            let group = ServiceGroup(services: [loop], logger: ClusterFixture.logger)
            self.group = group
            task = Task { if inGroup { try await group.run() } else { try await loop.run() } }
        }

        deinit { task.cancel() }

        func waitForPause(_ count: Int, _ what: Comment = "the loop pauses") async throws {
            try await eventually(what) { time.slept.count == count && time.isSomebodyAsleep }
        }

        /// Has the loop try again until `condition` holds.
        func retry(until condition: () -> Bool) async throws {
            try await eventually("the distributor is found again") {
                if condition() { return true }
                if time.isSomebodyAsleep { time.advance(by: .seconds(10)) }
                return false
            }
        }

        func end() async throws {
            task.cancel()
            try await task.value
        }
    }

    /// Runs `body` with a node that joins a distributor.
    private static func withJoining(
        _ administration: ScriptedAdministration, _ body: (Joining, RunningServer) async throws -> Void
    ) async throws {
        let running = try await RunningServer.start(administration)
        try await running.whileRunning {
            let joining = try Joining(port: running.port)
            try await body(joining, running)
            try await joining.end()
        }
    }

    @Test("a node joins as soon as it listens, not before, and says so once")
    func joined() async throws {
        let administration = ScriptedAdministration()
        let door = Door()
        let running = try await RunningServer.start(administration)
        try await running.whileRunning {
            let joining = try Joining(port: running.port) {
                try await door.pass()
                return HostPort(host: "storage1", port: 9001)
            }
            try await eventually("the address is waited for") { door.waiting == 1 }
            #expect(administration.requests.isEmpty)
            door.open()
            try await joining.waitForPause(1)
            #expect(administration.requests == [Self.request])
            let cluster = ScriptedAdministration.answer.cluster
            #expect(joining.log.all == ["notice joined address=storage1:9001 cluster=\(cluster) layout=7 node=\(Self.node)"])
            try await joining.end()
        }
    }

    @Test("a member announces itself again every 10 s, and logs no more")
    func announcements() async throws {
        let administration = ScriptedAdministration()
        try await Self.withJoining(administration) { joining, _ in
            for round in 1...5 {
                try await joining.waitForPause(round)
                #expect(administration.requests == Array(repeating: Self.request, count: round))
                joining.time.advance(by: .milliseconds(9_999))
                #expect(joining.time.isSomebodyAsleep)
                joining.time.advance(by: .milliseconds(1))
            }
            try await joining.waitForPause(6)
            #expect(joining.time.slept == Array(repeating: .seconds(10), count: 6))
            #expect(joining.log.all.count == 1)
        }
    }

    enum Refusal: CaseIterable { case secret, version, notAdmitted, noDistributor }

    @Test("a refusal ends the loop with its reason", arguments: Refusal.allCases)
    func refused(refusal: Refusal) async throws {
        let administration = ScriptedAdministration()
        administration.behave { _ in throw AdministrationError.notAdmitted(detail: "it is alive at elsewhere:9001") }
        let running =
            refusal == .noDistributor
            ? try await RunningServer.healthOnly()
            : try await RunningServer.start(administration, secret: refusal == .secret ? "secret" : nil)
        try await running.whileRunning {
            let joining = try Joining(
                port: running.port, secret: refusal == .secret ? "terces" : nil,
                version: refusal == .version ? "0" : ClusterMetadata.currentVersion)
            let error = await #expect(throws: JoinLoop.Refused.self) { try await joining.task.value }
            let text = error.map { "\($0)" } ?? ""
            let expected =
                switch refusal {
                case .secret: "wants another cluster secret"
                case .version: "the caller speaks version 0 of the protocol between servers, this server version 1"
                case .notAdmitted: "node \(Self.node) at storage1:9001 is not admitted: it is alive at elsewhere:9001"
                case .noDistributor: "it takes no storage nodes; is this a distributor's cluster address?"
                }
            #expect(text.hasPrefix("join: the distributor at \(running.address) ") && text.hasSuffix(expected), "\(text)")
            #expect(!text.contains("secret\"") && !text.contains("terces"))
            #expect(joining.time.slept.isEmpty)
            #expect(administration.requests.count == (refusal == .notAdmitted ? 1 : 0))
        }
    }

    @Test("a distributor that is away is asked again, ever less often, until it is there")
    func retries() async throws {
        let administration = ScriptedAdministration()
        let first = try await RunningServer.start(administration)
        await first.kill()
        let joining = try Joining(port: first.port)
        let pauses: [Duration] = [
            .milliseconds(250), .milliseconds(500), .seconds(1), .seconds(2), .seconds(4), .seconds(5), .seconds(5),
        ]
        for round in 1...pauses.count {
            try await joining.waitForPause(round)
            #expect(joining.time.slept == Array(pauses.prefix(round)))
            if round < pauses.count { joining.time.advance(by: pauses[round - 1]) }
        }
        #expect(joining.log.all.count == 1, "\(joining.log.all)")
        #expect(joining.log.all.first?.hasPrefix("warning not joined reason=the distributor at \(first.address) does not answer") == true)

        let second = try await RunningServer.start(administration, listen: HostPort(host: "127.0.0.1", port: first.port))
        try await second.whileRunning {
            try await joining.retry { administration.requests.count == 1 }
            try await eventually("it is logged") { joining.log.all.count == 2 }
            #expect(joining.log.all.last?.hasPrefix("notice joined address=") == true)
            try await joining.end()
        }
    }

    @Test("a distributor that was restarted hears of its member again, and each change is logged once")
    func restartedDistributor() async throws {
        let administration = ScriptedAdministration()
        let first = try await RunningServer.start(administration)
        let joining = try Joining(port: first.port)
        try await joining.waitForPause(1)
        await first.kill()
        joining.time.advance(by: .seconds(10))
        try await joining.waitForPause(2)
        joining.time.advance(by: .milliseconds(250))
        try await joining.waitForPause(3)
        // From the shortest pause again.
        #expect(joining.time.slept == [.seconds(10), .milliseconds(250), .milliseconds(500)])

        let second = try await RunningServer.start(administration, listen: HostPort(host: "127.0.0.1", port: first.port))
        try await second.whileRunning {
            try await joining.retry { administration.requests.count >= 2 }
            try await eventually("it is logged") { joining.log.all.count == 3 }
            #expect(
                joining.log.all.map { $0.prefix { $0 != "=" } } == [
                    "notice joined address", "warning not joined reason", "notice joined again address",
                ])
            try await eventually("it pauses") { joining.time.isSomebodyAsleep }
            #expect(joining.time.slept.last == .seconds(10))
            try await joining.end()
        }
    }

    @Test("a distributor that cannot reach the node is asked again, and the node's log has each reason once")
    func postponed() async throws {
        let administration = ScriptedAdministration()
        let reason = Mutex("no route")
        administration.behave { request in
            throw AdministrationError.unreachable(address: request.address, detail: reason.withLock { $0 })
        }
        try await Self.withJoining(administration) { joining, _ in
            try await joining.waitForPause(1)
            joining.time.advance(by: .milliseconds(250))
            try await joining.waitForPause(2)
            #expect(joining.log.all.count == 1)
            #expect(joining.log.all.first?.hasSuffix("cannot reach node \(Self.node) at storage1:9001: no route") == true)
            reason.withLock { $0 = "connection refused" }
            joining.time.advance(by: .milliseconds(500))
            try await joining.waitForPause(3)
            #expect(joining.log.all.count == 2)
            administration.behave { _ in ScriptedAdministration.answer }
            joining.time.advance(by: .seconds(1))
            try await joining.waitForPause(4)
            #expect(joining.log.all.count == 3)
            #expect(joining.time.slept == [.milliseconds(250), .milliseconds(500), .seconds(1), .seconds(10)])
        }
    }

    @Test("a member that is refused later goes on serving, logs it, and is a member again when it is admitted")
    func refusedMember() async throws {
        let administration = ScriptedAdministration()
        try await Self.withJoining(administration) { joining, _ in
            try await joining.waitForPause(1)
            administration.behave { _ in throw AdministrationError.notAdmitted(detail: "because") }
            for round in 2...4 {
                joining.time.advance(by: .seconds(10))
                try await joining.waitForPause(round)
            }
            #expect(joining.log.all.count == 2)
            #expect(joining.log.all.last?.hasSuffix("is not admitted: because") == true)
            administration.behave { _ in ScriptedAdministration.answer }
            joining.time.advance(by: .seconds(10))
            try await joining.waitForPause(5)
            #expect(joining.log.all.count == 3)
            #expect(joining.time.slept == Array(repeating: .seconds(10), count: 5))
        }
    }

    enum Moment: CaseIterable { case beforeListening, asking, pausing, member }

    @Test("a shutdown, and a cancellation, end the loop at once, whatever it is doing", arguments: Moment.allCases, [false, true])
    func ends(moment: Moment, isShutdown: Bool) async throws {
        let administration = ScriptedAdministration()
        let door = Door()
        if moment == .asking {
            administration.behave { _ in
                try await door.pass()
                return ScriptedAdministration.answer
            }
        }
        let running = try await RunningServer.start(administration)
        if moment == .pausing { await running.kill() }
        try await running.whileRunning {
            let joining = try Joining(port: running.port, inGroup: isShutdown) {
                if moment == .beforeListening { try await door.pass() }
                return HostPort(host: "storage1", port: 9001)
            }
            try await eventually("the loop is where it is to be ended") {
                switch moment {
                case .beforeListening, .asking: door.waiting == 1
                case .pausing, .member: joining.time.isSomebodyAsleep
                }
            }
            let start = ContinuousClock.now
            if isShutdown { await joining.group.triggerGracefulShutdown() } else { joining.task.cancel() }
            try await joining.task.value
            #expect(ContinuousClock.now - start < .seconds(2))
            door.open()
        }
    }

    @Test("a node that cannot listen ends the loop with its own error")
    func noListener() async throws {
        struct Taken: Error {}
        let joining = try Joining(port: 1) { throw Taken() }
        await #expect(throws: Taken.self) { try await joining.task.value }
    }
}

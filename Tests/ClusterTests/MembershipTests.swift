import ChunkTransport
import ClusterProtocol
import ClusterService
import Core
import Foundation
import GRPCCore
import ObjectStore
import SwiftProtobuf
import Testing

@Suite("Joining, as the distributor answers it")
struct MembershipTests {
    private static let node = NodeID(uuid: UUIDv7(high: 1, low: 2))
    private static let address = HostPort(host: "storage1.example", port: 9001)

    /// Runs `body` with a node's way to the server on `port`.
    private static func withClient<Value: Sendable>(
        port: Int, secret: String? = nil, timeout: Duration = .seconds(15), version: String = ClusterMetadata.currentVersion,
        _ body: @escaping @Sendable (MembershipClient) async throws -> Value
    ) async throws -> Value {
        let client = try MembershipClient(
            distributor: HostPort(host: "127.0.0.1", port: port), secret: secret, timeout: timeout, time: SystemTime(),
            protocolVersion: version)
        return try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await client.run() }
            defer { group.cancelAll() }
            return try await body(client)
        }
    }

    /// What a node hears that asks `administration` for membership.
    private static func refusal(
        _ administration: ScriptedAdministration = ScriptedAdministration(), secret: String? = nil, given: String? = nil,
        version: String = ClusterMetadata.currentVersion, log: LogRecord = LogRecord(), count: Int = 1
    ) async throws -> MembershipError? {
        let running = try await RunningServer.start(administration, secret: secret, logger: log.logger)
        return try await running.whileRunning {
            try await withClient(port: running.port, secret: given, version: version) { client in
                var refusal: MembershipError?
                for _ in 0..<count {
                    refusal = await #expect(throws: MembershipError.self) {
                        try await client.join(node: node, address: address, instance: 1)
                    }
                }
                return refusal
            }
        }
    }

    @Test("a node's request arrives as it was made, and so does the answer", arguments: [0, 1, UInt64.max])
    func accepted(instance: UInt64) async throws {
        let administration = ScriptedAdministration()
        let log = LogRecord()
        let running = try await RunningServer.start(administration, secret: "secret", logger: log.logger)
        try await running.whileRunning {
            try await Self.withClient(port: running.port, secret: "secret") { client in
                let membership = try await client.join(node: Self.node, address: Self.address, instance: instance)
                #expect(membership.cluster == ScriptedAdministration.answer.cluster)
                #expect(membership.layoutVersion == ScriptedAdministration.answer.layoutVersion)
            }
        }
        #expect(administration.requests == [JoinRequest(node: Self.node, address: "storage1.example:9001", instance: instance)])
        #expect(log.all.isEmpty)
    }

    @Test(
        "in place of an unspecified host stands the caller's",
        arguments: [
            ("0.0.0.0:9001", "127.0.0.1:9001"), ("[::]:9001", "127.0.0.1:9001"), ("[0:0::0]:9001", "127.0.0.1:9001"),
            (":9001", "127.0.0.1:9001"), ("127.0.0.2:9001", "127.0.0.2:9001"), ("[::1]:9001", "[::1]:9001"), ("node:1", "node:1"),
        ])
    func unspecifiedHost(given: String, taken: String) async throws {
        #expect(try await Self.addressTaken(given, listen: ClusterFixture.loopback, host: "127.0.0.1") == taken)
    }

    @Test(
        "the caller's host is its address by the protocol that it came by, whatever the listener's",
        arguments: [("::1", "::1", "[::1]:9001"), ("::", "127.0.0.1", "127.0.0.1:9001"), ("::", "::1", "[::1]:9001")])
    func callersHost(listen: String, host: String, taken: String) async throws {
        #expect(try await Self.addressTaken("0.0.0.0:9001", listen: HostPort(host: listen, port: 0), host: host) == taken)
    }

    private static func addressTaken(_ given: String, listen: HostPort, host: String) async throws -> String? {
        let administration = ScriptedAdministration()
        let running = try await RunningServer.start(administration, listen: listen)
        try await running.whileRunning {
            try await RawClient.with(host: host, port: running.port) { client in
                let membership = Chunkflow_Cluster_V1_Membership.Client(wrapping: client)
                _ = try await membership.join(
                    .with {
                        $0.node = Data(Self.node.bytes)
                        $0.address = given
                    })
            }
        }
        #expect(administration.requests.count == 1)
        return administration.requests.first?.address
    }

    @Test("a request of the wrong form is refused as invalid and reaches nobody", arguments: ["", "node", "node:0", ":0", ":", "0.0.0.0"])
    func malformedAddress(given: String) async throws {
        let administration = ScriptedAdministration()
        let running = try await RunningServer.start(administration)
        try await running.whileRunning {
            try await RawClient.with(port: running.port) { client in
                let membership = Chunkflow_Cluster_V1_Membership.Client(wrapping: client)
                for (node, address) in [(Data(Self.node.bytes), given), (Data([1, 2]), "node:9001")] {
                    let error = await #expect(throws: RPCError.self) {
                        try await membership.join(
                            .with {
                                $0.node = node
                                $0.address = address
                            })
                    }
                    #expect(error?.code == .invalidArgument)
                }
            }
        }
        #expect(administration.requests.isEmpty)
    }

    @Test("another secret arrives as such, before anybody is asked, and the distributor logs it", arguments: [nil, "wrong"])
    func wrongSecret(given: String?) async throws {
        let administration = ScriptedAdministration()
        let log = LogRecord()
        let refusal = try await Self.refusal(administration, secret: "secret", given: given, log: log, count: 3)
        guard case .unauthenticated = refusal else {
            Issue.record("\(String(describing: refusal))")
            return
        }
        #expect(refusal?.isFinal == true)
        #expect(administration.requests.isEmpty)
        #expect(log.all.count == 1, "asking again is logged once: \(log.all)")
        #expect(log.all.first?.hasPrefix("warning ") == true)
        #expect(log.all.first?.contains("caller=127.0.0.1 ") == true)
        #expect(log.all.first?.contains("reason=wrong or missing cluster secret") == true)
    }

    @Test("another protocol version arrives as such, before anybody is asked, and the distributor logs it")
    func wrongVersion() async throws {
        let administration = ScriptedAdministration()
        let log = LogRecord()
        let refusal = try await Self.refusal(administration, version: "99", log: log)
        guard case .refused(_, let detail) = refusal else {
            Issue.record("\(String(describing: refusal))")
            return
        }
        #expect(detail == "the caller speaks version 99 of the protocol between servers, this server version 1")
        #expect(administration.requests.isEmpty)
        #expect(log.all.count == 1)
        #expect(log.all.first?.contains(detail) == true)
    }

    enum Answer: CaseIterable { case notAdmitted, invalid, unreachable, unknownNode, refused, failure }

    @Test("what the cluster says arrives with its reason, and whether it is for good", arguments: Answer.allCases)
    func answers(answer: Answer) async throws {
        let administration = ScriptedAdministration()
        let (error, isFinal): (any Error, Bool) =
            switch answer {
            case .notAdmitted: (AdministrationError.notAdmitted(detail: "größer: because"), true)
            case .invalid: (AdministrationError.invalid(detail: "größer: because"), true)
            case .unreachable: (AdministrationError.unreachable(address: "there:1", detail: "größer: because"), false)
            case .unknownNode: (AdministrationError.unknownNode(Self.node), false)
            case .refused: (AdministrationError.refused(detail: "größer: because"), false)
            case .failure: (MalformedFrame(), false)
            }
        administration.behave { _ in throw error }
        let log = LogRecord()
        let refusal = try #require(try await Self.refusal(administration, log: log))
        #expect(refusal.isFinal == isFinal)
        if case .unreachable = refusal { Issue.record("the distributor did answer") }
        #expect("\(refusal)".contains("\(Self.node)"))
        switch answer {
        case .notAdmitted, .invalid, .refused: #expect("\(refusal)".contains("größer: because"))
        case .unreachable: #expect("\(refusal)".contains("there:1: größer: because"))
        case .unknownNode, .failure: break
        }
        #expect(log.all.count == 1 && log.all.first?.contains("\(Self.node)") == true, "\(log.all)")
    }

    @Test("a minute later a caller that is still refused is logged again; each reason and each end has its own line")
    func repeatedRefusals() async throws {
        let administration = ScriptedAdministration()
        let log = LogRecord()
        let time = ManualTime()
        let running = try await RunningServer.start(administration, time: time, logger: log.logger)
        try await running.whileRunning {
            try await Self.withClient(port: running.port) { client in
                func ask(_ reason: String) async {
                    administration.behave { _ in throw AdministrationError.notAdmitted(detail: reason) }
                    await #expect(throws: MembershipError.self) {
                        try await client.join(node: Self.node, address: Self.address, instance: 1)
                    }
                }
                await ask("one")
                await ask("other")
                #expect(log.all.count == 2)
                time.advance(by: .milliseconds(59_999))
                await ask("one")
                #expect(log.all.count == 2)
                time.advance(by: .milliseconds(1))
                await ask("one")
                #expect(log.all.count == 3)
            }
        }
    }

    @Test("a server that takes no nodes says so for good")
    func noMembership() async throws {
        let running = try await RunningServer.start(MemoryNode())
        try await running.whileRunning {
            try await Self.withClient(port: running.port) { client in
                let error = await #expect(throws: MembershipError.self) {
                    try await client.join(node: Self.node, address: Self.address, instance: 1)
                }
                #expect(error?.isFinal == true)
                #expect(error.map { "\($0)" }?.contains("cluster address") == true)
            }
        }
    }

    @Test("a distributor that does not answer in time, or is not there, is unreachable")
    func unreachable() async throws {
        let administration = ScriptedAdministration()
        let door = Door()
        administration.behave { _ in
            try await door.pass()
            return ScriptedAdministration.answer
        }
        let running = try await RunningServer.start(administration)
        try await Self.withClient(port: running.port, timeout: .milliseconds(100)) { client in
            func join() async -> MembershipError? {
                await #expect(throws: MembershipError.self) {
                    try await client.join(node: Self.node, address: Self.address, instance: 1)
                }
            }
            // On a busy machine it may be the connection that is not there in time.
            guard case .unreachable(running.address, _) = await join() else {
                Issue.record("not unreachable")
                return
            }
            await running.kill()
            guard case .unreachable = await join() else {
                Issue.record("not unreachable")
                return
            }
        }
        door.open()
    }

    @Test("health is told of the service, with or without the secret")
    func health() async throws {
        let running = try await RunningServer.start(ScriptedAdministration(), secret: "secret")
        try await running.whileRunning {
            try await RawClient.with(port: running.port) { client in
                let health = Grpc_Health_V1_Health.Client(wrapping: client)
                for service in ["", "chunkflow.cluster.v1.Membership"] {
                    let answer = try await health.check(.with { $0.service = service })
                    #expect(answer.status == .serving)
                }
            }
        }
    }
}

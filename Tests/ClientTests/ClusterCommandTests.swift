import ArgumentParser
import Client
import NIOHTTP1
import Testing

@Suite("Running a cluster")
struct ClusterCommandTests {
    private typealias Cluster = ScriptedCluster

    // MARK: Requests

    private static let orders: [(arguments: [String], request: String)] = [
        (["add", "10.0.0.9:9001"], #"POST /cluster/nodes {"address":"10.0.0.9:9001"}"#),
        (["drain", Cluster.rack1], "POST /cluster/nodes/\(Cluster.rack1)/drain {}"),
        (["drain", Cluster.rack1, "--force"], #"POST /cluster/nodes/\#(Cluster.rack1)/drain {"force":true}"#),
        (["remove", Cluster.rack2], "POST /cluster/nodes/\(Cluster.rack2)/remove {}"),
        (["remove", Cluster.rack2, "--force"], #"POST /cluster/nodes/\#(Cluster.rack2)/remove {"force":true}"#),
        (["restore", Cluster.rack3, "--force"], #"POST /cluster/nodes/\#(Cluster.rack3)/restore {"force":true}"#),
        (["set-weight", Cluster.rack1, "2.5"], #"PUT /cluster/nodes/\#(Cluster.rack1)/weight {"weight":2.5}"#),
        (["set-weight", Cluster.rack1, "2", "--force"], #"PUT /cluster/nodes/\#(Cluster.rack1)/weight {"force":true,"weight":2}"#),
        (["layout", "plan", "add", "10.0.0.9:9001"], #"POST /cluster/layout/plan {"add":"10.0.0.9:9001"}"#),
        (["layout", "plan", "drain", Cluster.rack1], #"POST /cluster/layout/plan {"drain":"\#(Cluster.rack1)"}"#),
        (["layout", "plan", "remove", Cluster.rack1], #"POST /cluster/layout/plan {"remove":"\#(Cluster.rack1)"}"#),
        (["layout", "plan", "restore", Cluster.rack1], #"POST /cluster/layout/plan {"restore":"\#(Cluster.rack1)"}"#),
        (
            ["layout", "plan", "set-weight", Cluster.rack1, "0.25"],
            #"POST /cluster/layout/plan {"setWeight":{"node":"\#(Cluster.rack1)","weight":0.25}}"#
        ),
        (["pause"], "POST /cluster/pause "), (["resume"], "POST /cluster/resume "), (["layout", "show"], "GET /cluster/layout "),
    ]

    @Test("each command asks for exactly what it says, once", arguments: orders)
    func request(arguments: [String], request: String) async throws {
        try await ScriptedServer.with(script: Cluster.answer) { server in
            try await ClientFixture.with { fixture in
                try await expect(fixture.cluster(arguments + ["--server", server.url]), .success)
                let sent = server.requests.filter { $0.uri != "/cluster" }
                #expect(sent.map { "\($0.method) \($0.uri) \(String(decoding: $0.body, as: UTF8.self))" } == [request])
                for request in sent where !request.body.isEmpty {
                    #expect(request.headers.first(name: "Content-Type") == "application/json")
                }
                #expect(fixture.errors.isEmpty)
            }
        }
    }

    // MARK: Output

    private static let tables: [(arguments: [String], output: String)] = [
        (
            ["layout", "show"],
            """
            layout     3, 2 copies, 1024 partitions

            NODE                                  ZONE  WEIGHT  PARTITIONS
            \(Cluster.rack1)  r1    2       1024
            \(Cluster.rack2)  -     0.5     256

            """
        ),
        (
            ["layout", "plan", "drain", Cluster.rack1],
            """
            layout     3 -> 4
            to move    520 copies of partitions (the least possible: 512), 3.0 GiB

            NODE                                  ZONE  WEIGHT  PARTITIONS
            \(Cluster.rack2)  r2    0.5     700

            nothing was changed

            """
        ),
        (["pause"], "background work is paused\n"), (["resume"], "background work goes on\n"),
        (
            ["add", "10.0.0.3:9001"],
            """
            node \(Cluster.rack3) at 10.0.0.3:9001 is a member
            follow it with: chunkflow cluster status

            """
        ),
    ]

    @Test("each command tells what there is, would be or has begun", arguments: tables)
    func output(arguments: [String], output: String) async throws {
        try await ScriptedServer.with(script: Cluster.answer) { server in
            try await ClientFixture.with { fixture in
                try await expect(fixture.cluster(arguments + ["--server", server.url]), .success)
                #expect(fixture.output == output)
            }
        }
    }

    @Test("a change tells its layout and how much will move", arguments: [["drain"], ["remove"], ["restore"], ["set-weight"]])
    func begun(command: [String]) async throws {
        try await ScriptedServer.with(script: Cluster.answer) { server in
            try await ClientFixture.with { fixture in
                let weight = command == ["set-weight"] ? ["3"] : []
                try await expect(fixture.cluster(command + [Cluster.rack1] + weight + ["--server", server.url]), .success)
                #expect(fixture.output == "layout 4 is in force: 3.0 GiB will move\nfollow it with: chunkflow cluster status\n")
            }
        }
    }

    private static let documents: [(arguments: [String], text: String)] = [
        (["status"], Cluster.status), (["layout", "show"], Cluster.layout), (["drain", Cluster.rack1], Cluster.plan),
        (["set-weight", Cluster.rack1, "2"], Cluster.plan), (["layout", "plan", "remove", Cluster.rack1], Cluster.plan),
        (["add", "10.0.0.3:9001"], #"{"node":"\#(Cluster.rack3)"}"#),
    ]

    @Test("with --json the server's own document comes out, and nothing else", arguments: documents)
    func passthrough(arguments: [String], text: String) async throws {
        try await ScriptedServer.with(script: Cluster.answer) { server in
            try await ClientFixture.with { fixture in
                try await expect(fixture.cluster(arguments + ["--json", "--server", server.url]), .success)
                #expect(fixture.output == text + "\n")
            }
        }
    }

    @Test("where the server sends no document, --json prints none", arguments: ["pause", "resume"])
    func noDocument(command: String) async throws {
        try await ScriptedServer.with(script: Cluster.answer) { server in
            try await ClientFixture.with { fixture in
                try await expect(fixture.cluster(server, command, "--json"), .success)
                #expect(fixture.output.isEmpty)
            }
        }
    }

    private static let movements: [(members: String, lines: [String])] = [
        (#""rebalance":null,"backgroundPaused":false"#, []),
        (
            #""rebalance":{"toVersion":4,"blobsLeft":9,"bytesLeft":3221225472,"movedBytes":5,"bytesPerSecond":25165824,"secondsLeft":128},"#
                + #""backgroundPaused":false"#,
            ["moving to layout 4: 3.0 GiB left, 24.0 MiB/s, about 2m08s left"]
        ),
        (
            #""rebalance":{"toVersion":4,"blobsLeft":9,"bytesLeft":1024,"movedBytes":5,"bytesPerSecond":0,"secondsLeft":null},"#
                + #""backgroundPaused":true"#,
            ["moving to layout 4: 1.0 KiB left", "background work is paused"]
        ),
    ]

    @Test("status tells what moves and whether movement is stopped, under both of its names", arguments: movements)
    func status(members: String, lines: [String]) async throws {
        let document = Cluster.status.replacing(#""rebalance":null,"backgroundPaused":false"#, with: members)
        try await ScriptedServer.with(script: { _ in .json(document) }) { server in
            try await ClientFixture.with { fixture in
                try await expect(fixture.cluster(server, "status"), .success)
                #expect(
                    fixture.output == """
                        cluster    c1
                        layout     3, 2 copies, write quorum 2, 1024 partitions
                        objects    5, 1.0 MiB
                        to repair  0
                        \(lines.map { $0 + "\n" }.joined())
                        NODE                                  ADDRESS        ZONE  WEIGHT  STATE     USED     CAPACITY  FILL  FRAGMENTS  QUARANTINED
                        \(Cluster.rack1)  10.0.0.1:9001  r1    2       up        3.0 KiB  4.0 KiB   75%   7          0
                        \(Cluster.rack2)  10.0.0.2:9001  r2    0.5     up        3.0 KiB  4.0 KiB   75%   7          0
                        \(Cluster.rack3)  10.0.0.3:9001  r3    1       draining  3.0 KiB  4.0 KiB   75%   7          0

                        """)
                let output = fixture.output
                try await expect(fixture.status(server), .success)
                #expect(fixture.output == output + output)
            }
        }
    }

    // MARK: Naming a node

    @Test(
        "a node can be named by its id, by the beginning of it, or by its address",
        arguments: [Cluster.rack2, "0198aaab", "01a0", "10.0.0.2:9001", "10.0.0.3:9001"])
    func names(name: String) async throws {
        let meant = ["01a0", "10.0.0.3:9001"].contains(name) ? Cluster.rack3 : Cluster.rack2
        try await ScriptedServer.with(script: Cluster.answer) { server in
            try await ClientFixture.with { fixture in
                try await expect(fixture.cluster(server, "drain", name), .success)
                #expect(server.requests.map(\.uri) == ["/cluster", "/cluster/nodes/\(meant)/drain"])
            }
        }
    }

    private static let wrongNames: [(name: String, candidates: [String])] = [
        ("0198", [Cluster.rack1, Cluster.rack2]), ("0198aaa", [Cluster.rack1, Cluster.rack2]),
        ("01a", [Cluster.rack1, Cluster.rack2, Cluster.rack3]), ("0198aaac", [Cluster.rack1, Cluster.rack2, Cluster.rack3]),
        ("10.0.0.2", [Cluster.rack1, Cluster.rack2, Cluster.rack3]), ("10.0.0.2:90010", [Cluster.rack1, Cluster.rack2, Cluster.rack3]),
    ]

    @Test("a name that means no node, or several, is wrong usage: the nodes are named, nothing is ordered", arguments: wrongNames)
    func wrongName(name: String, candidates: [String]) async throws {
        for command in [["drain", name], ["set-weight", name, "2"], ["layout", "plan", "remove", name]] {
            try await ScriptedServer.with(script: Cluster.answer) { server in
                try await ClientFixture.with { fixture in
                    let status = try await fixture.cluster(command + ["--server", server.url])
                    #expect(status == .wrongUsage && status.rawValue == 64)
                    #expect(server.requests.map(\.uri) == ["/cluster"])
                    #expect([Cluster.rack1, Cluster.rack2, Cluster.rack3].filter(fixture.errors.contains) == candidates)
                    #expect(fixture.errors.contains("\"\(name)\"") && fixture.errors.contains("10.0.0.2:9001"))
                    #expect(fixture.output.isEmpty)
                }
            }
        }
    }

    @Test("an id is meant by itself, even where another node has it as its address")
    func exactID() async throws {
        let nodes = [Cluster.node("abcd", "abcdef", "", "1"), Cluster.node("abcdef", "h:1", "", "1")].joined(separator: ",")
        let document = #"{"clusterID":"c","nodes":[\#(nodes)],"layout":{"version":1}}"#
        try await ScriptedServer.with(script: { $0.uri == "/cluster" ? .json(document) : Cluster.answer($0) }) { server in
            try await ClientFixture.with { fixture in
                try await expect(fixture.cluster(server, "drain", "abcd"), .success)
                try await expect(fixture.cluster(server, "drain", "abcdef"), .success)
                #expect(server.requests(.POST, "/cluster/nodes/abcd/drain").count == 1)
                #expect(server.requests(.POST, "/cluster/nodes/abcdef/drain").count == 1)
            }
        }
    }

    // MARK: Failures

    private static let changes: [[String]] = [
        ["add", "10.0.0.9:9001"], ["drain", Cluster.rack1], ["remove", Cluster.rack1], ["restore", Cluster.rack1],
        ["set-weight", Cluster.rack1, "2"], ["pause"], ["resume"],
    ]

    @Test("a change whose connection broke is not asked for again, and its outcome is said to be unknown", arguments: changes)
    func brokenChange(arguments: [String]) async throws {
        try await ScriptedServer.with(script: { $0.method == .GET ? Cluster.answer($0) : .hangUp }) { server in
            try await ClientFixture.with { fixture in
                try await expect(fixture.cluster(arguments + ["--server", server.url]), .unavailable)
                #expect(server.requests.filter { $0.method != .GET }.count == 1)
                #expect(fixture.errors.contains("may have been made or not"))
                #expect(fixture.output.isEmpty)
            }
        }
    }

    @Test("a change that a server answered as unavailable is not asked for again", arguments: changes)
    func unavailableChange(arguments: [String]) async throws {
        let script: ScriptedServer.Script = {
            $0.method == .GET ? Cluster.answer($0) : .problem(.serviceUnavailable, "later", headers: ["Retry-After": "0"])
        }
        try await ScriptedServer.with(script: script) { server in
            try await ClientFixture.with { fixture in
                try await expect(fixture.cluster(arguments + ["--server", server.url]), .unavailable)
                #expect(server.requests.filter { $0.method != .GET }.count == 1)
            }
        }
    }

    @Test("a change is tried again while no connection can be made, because nothing has arrived")
    func unreachable() async throws {
        try await ClientFixture.with { fixture in
            // Port 1 of this machine: nobody listens there.
            try await expect(fixture.cluster(["pause", "--retries", "1", "--server", "http://127.0.0.1:1"]), .unavailable)
            #expect(fixture.errors.contains("trying again (1 of 1)"))
        }
    }

    @Test(
        "what changes nothing is asked for again",
        arguments: [["status"], ["layout", "show"], ["layout", "plan", "drain", Cluster.rack1]])
    func repeatedQuestion(arguments: [String]) async throws {
        let count = Counter()
        try await ScriptedServer.with(script: { [1, 3].contains(count.next()) ? .hangUp : Cluster.answer($0) }) { server in
            try await ClientFixture.with { fixture in
                try await expect(fixture.cluster(arguments + ["--server", server.url]), .success)
                // A plan is made of two questions, and each of them broke once.
                #expect(server.requests.count == (arguments.contains("plan") ? 4 : 2))
            }
        }
    }

    private static let refusals: [(status: HTTPResponseStatus, type: String, exit: Client.ExitStatus)] = [
        (.conflict, "change-invalid", .failure), (.conflict, "change-refused", .failure), (.conflict, "node-not-admitted", .failure),
        (.notFound, "node-not-found", .notFound), (.badGateway, "node-unreachable", .unavailable),
        (.internalServerError, "metadata-failure", .failure),
    ]

    @Test("what the server refuses is told by its title and its detail", arguments: refusals)
    func refused(status: HTTPResponseStatus, type: String, exit: Client.ExitStatus) async throws {
        let problem = """
            {"type":"urn:chunkflow:problem:\(type)","title":"The title","status":\(status.code),"detail":"the detail","requestID":"r-1"}
            """
        try await ScriptedServer.with(script: { $0.method == .GET ? Cluster.answer($0) : .json(problem, status: status) }) { server in
            try await ClientFixture.with { fixture in
                try await expect(fixture.cluster(server, "restore", Cluster.rack1), exit)
                #expect(fixture.errors.contains("The title: the detail (request r-1)"))
                // It is the node that does not answer: the server has.
                #expect(!fixture.errors.contains("the server is unavailable"))
                #expect(fixture.output.isEmpty)
            }
        }
    }
}

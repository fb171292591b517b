import ArgumentParser
import Client
import NIOHTTP1
import Testing

@Suite("Listing, removing, looking")
struct ListingTests {
    @Test("ls goes through all pages, whatever a cursor looks like")
    func pages() async throws {
        let script: ScriptedServer.Script = { request in
            switch request.uri {
            case "/files?limit=1000": .json(#"{"files":[\#(description([1], fileID: "a"))],"nextCursor":"x&y=z/ä"}"#)
            case "/files?limit=1000&cursor=x%26y%3Dz%2F%C3%A4":
                .json(#"{"files":[\#(description([2], fileID: "b")),\#(description([3], fileID: "c"))],"nextCursor":null}"#)
            default: .problem(.badRequest, "what is \(request.uri)")
            }
        }
        try await ScriptedServer.with(script: script) { server in
            try await ClientFixture.with { fixture in
                try await expect(fixture.list(server, "--json"), .success)
                #expect(try fixture.json().map { $0["fileID"] as? String } == ["a", "b", "c"])
            }
            try await ClientFixture.with { fixture in
                try await expect(fixture.list(server), .success)
                #expect(fixture.outputLines.map { String($0.prefix(1)) } == ["a", "b", "c"])
            }
        }
    }

    @Test("a page that broke is asked for again, and nothing is listed twice")
    func brokenPage() async throws {
        let count = Counter()
        let script: ScriptedServer.Script = { request in
            if request.uri == "/files?limit=1000" { return .json(#"{"files":[\#(description([1], fileID: "a"))],"nextCursor":"b"}"#) }
            var answer = ScriptedAnswer.json(#"{"files":[\#(description([1], fileID: "b"))]}"#)
            if count.next() == 1 { answer.breakAfter = 20 }
            return answer
        }
        try await ScriptedServer.with(script: script) { server in
            try await ClientFixture.with { fixture in
                try await expect(fixture.list(server), .success)
                #expect(fixture.outputLines.map { String($0.prefix(1)) } == ["a", "b"])
            }
        }
    }

    @Test("names cannot move the terminal's cursor")
    func controlCharacters() async throws {
        let page = #"{"files":[\#(description([1], name: "a\\u001b[2Jb\\u202ec"))]}"#
        try await ScriptedServer.with(script: { _ in .json(page) }) { server in
            try await ClientFixture.with { fixture in
                try await expect(fixture.list(server), .success)
                #expect(fixture.output.hasSuffix("a\u{FFFD}[2Jb\u{FFFD}c\n"))
            }
            try await ClientFixture.with { fixture in
                try await expect(fixture.list(server, "--json"), .success)
                #expect(try fixture.json().first?["name"] as? String == "a\u{1B}[2Jb\u{202E}c")
            }
        }
    }

    private static let removals: [(ids: [String], status: Client.ExitStatus, removed: [String])] = [
        (["a"], .success, ["a"]), (["a", "b"], .success, ["a", "b"]), (["x"], .notFound, []), (["x", "y"], .notFound, []),
        (["a", "x", "b"], .failure, ["a", "b"]),
    ]

    @Test("rm removes what is there, and its status says whether all was, nothing was, or some", arguments: removals)
    func remove(ids: [String], status: Client.ExitStatus, removed: [String]) async throws {
        let script: ScriptedServer.Script = { request in
            ["/files/a", "/files/b"].contains(request.path) ? ScriptedAnswer(status: .noContent) : .problem(.notFound, "no such file")
        }
        try await ScriptedServer.with(script: script) { server in
            try await ClientFixture.with { fixture in
                try await expect(RemoveCommand.parse(ids + ["--server", server.url]).execute(console: fixture.console), status)
                #expect(fixture.outputLines == removed)
                #expect(server.requests.allSatisfy { $0.method == .DELETE })
                #expect(server.requests.count == ids.count)
            }
        }
    }

    @Test("a removal whose answer got lost has succeeded when the file is gone")
    func lostRemoval() async throws {
        let count = Counter()
        try await ScriptedServer.with(script: { _ in count.next() == 1 ? .hangUp : .problem(.notFound, "gone") }) { server in
            try await ClientFixture.with { fixture in
                try await expect(fixture.remove(server, "a"), .success)
            }
        }
    }

    @Test("an ID cannot lead to another resource")
    func escapedID() async throws {
        try await ScriptedServer.with(script: { _ in .problem(.notFound, "no") }) { server in
            try await ClientFixture.with { fixture in
                try await expect(fixture.remove(server, "../cluster", "..", "a?b"), .notFound)
                #expect(server.requests.map(\.uri) == ["/files/..%2Fcluster", "/files/%2E%2E", "/files/a%3Fb"])
            }
        }
    }

    /// Of a server that knows no weights, and nothing of data on the move.
    private static let cluster = """
        {"clusterID":"c1","nodes":[{"id":"n1","address":"127.0.0.1:9001","zone":"r1","state":"up","version":"0.1.0","capacityBytes":4096,\
        "availableBytes":1024,"usedBytes":3072,"fragmentCount":7,"quarantinedCount":0,"lastSeenAt":"2026-01-02T03:04:05Z"},{"id":"n2",\
        "address":"","zone":"","state":"down","version":"","capacityBytes":0,"availableBytes":0,"usedBytes":0,"fragmentCount":0,\
        "quarantinedCount":1,"lastSeenAt":null}],"layout":{"version":2,"partitionCount":1024,"replicas":3,"writeQuorum":2},\
        "objects":{"count":5,"bytes":1048576},"repairQueueLength":4}
        """

    @Test("status shows every node with its state and how full it is, and passes the server's own JSON on")
    func status() async throws {
        try await ScriptedServer.with(script: { _ in .json(Self.cluster) }) { server in
            try await ClientFixture.with { fixture in
                try await expect(fixture.status(server), .success)
                #expect(
                    fixture.output == """
                        cluster    c1
                        layout     2, 3 copies, write quorum 2, 1024 partitions
                        objects    5, 1.0 MiB
                        to repair  4

                        NODE  ADDRESS         ZONE  WEIGHT  STATE  USED     CAPACITY  FILL  FRAGMENTS  QUARANTINED
                        n1    127.0.0.1:9001  r1    -       up     3.0 KiB  4.0 KiB   75%   7          0
                        n2    -               -     -       down   0 B      0 B       -     0          1

                        """)
            }
            try await ClientFixture.with { fixture in
                try await expect(fixture.status(server, "--json"), .success)
                #expect(fixture.output == Self.cluster + "\n")
            }
        }
    }

    @Test("status names the disks that fail, and says failing of their nodes")
    func failingDisk() async throws {
        let disks = #"[{"path":"/srv/a","capacityBytes":1,"availableBytes":1,"readErrors":3,"writeErrors":2,"state":"failing"}]"#
        let healthy = #"[{"path":"/srv/b","capacityBytes":1,"availableBytes":1,"readErrors":1,"writeErrors":0,"state":"healthy"}]"#
        let cluster = Self.cluster.replacing(#""quarantinedCount":0,"#, with: #""quarantinedCount":0,"disks":\#(disks),"#)
            .replacing(#""quarantinedCount":1,"#, with: #""quarantinedCount":1,"disks":\#(healthy),"#)
            .replacing(#""state":"up""#, with: #""state":"failing""#)
        try await ScriptedServer.with(script: { _ in .json(cluster) }) { server in
            try await ClientFixture.with { fixture in
                try await expect(fixture.status(server), .success)
                let lines = fixture.output.split(separator: "\n")
                #expect(
                    lines.filter { $0.hasPrefix("failing") } == ["failing    disk /srv/a of node n1: 3 read errors, 2 write errors"],
                    "\(fixture.output)")
                #expect(lines.contains { $0.hasPrefix("n1 ") && $0.contains("failing") })
            }
        }
    }

    @Test("an answer of something that is no chunkFlow server is an error, not a crash")
    func otherServer() async throws {
        try await ScriptedServer.with(script: { _ in .json("<html>") }) { server in
            try await ClientFixture.with { fixture in
                try await expect(fixture.status(server), .failure)
                try await expect(fixture.list(server), .failure)
                #expect(fixture.errors.contains("is this a chunkFlow server?"))
            }
        }
    }
}

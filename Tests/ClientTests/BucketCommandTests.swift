import ArgumentParser
import Client
import NIOHTTP1
import Testing

@Suite("Buckets and their storage classes")
struct BucketCommandTests {
    private static let reencoding = """
        {"bucket":"files","storageClass":"ec-4-2","objectCount":10,"examinedCount":4,"reencodedCount":3,"reencodedBytes":3221225472,\
        "failedCount":1,"bytesPerSecond":25165824}
        """
    private static let files = #"{"name":"files","storageClass":"ec-4-2","reencoding":\#(reencoding)}"#
    private static let other = #"{"name":"x\u001b[2J","storageClass":null,"reencoding":null}"#

    private static func answer(_ request: ReceivedRequest) -> ScriptedAnswer {
        switch (request.method, request.uri) {
        case (.GET, "/cluster/buckets"): .json(#"{"buckets":[\#(files)],"nextCursor":"a&b"}"#)
        case (.GET, "/cluster/buckets?cursor=a%26b"): .json(#"{"buckets":[\#(other)],"nextCursor":null}"#)
        case (.PUT, "/cluster/buckets/files/storage-class"): .json(files)
        default: .problem(.notFound, "There is no such bucket")
        }
    }

    private static func run(_ server: ScriptedServer, _ fixture: ClientFixture, _ arguments: String...) async throws -> Client.ExitStatus {
        let command = try #require(try BucketCommand.parseAsRoot(arguments + ["--server", server.url]) as? any ClientCommand)
        return try await command.execute(console: fixture.console)
    }

    @Test("ls goes through all pages, as a table or as a document a line")
    func list() async throws {
        try await ScriptedServer.with(script: Self.answer) { server in
            try await ClientFixture.with { fixture in
                try await expect(Self.run(server, fixture, "ls"), .success)
                #expect(
                    fixture.output == """
                        BUCKET  CLASS    STORING ANEW
                        files   ec-4-2   in progress
                        x\u{FFFD}[2J   default  -

                        """)
            }
            try await ClientFixture.with { fixture in
                try await expect(Self.run(server, fixture, "ls", "--json"), .success)
                #expect(fixture.output == Self.files + "\n" + #"{"name":"x\u001b[2J","storageClass":null,"reencoding":null}"# + "\n")
            }
        }
    }

    private static let orders: [(arguments: [String], body: String)] = [
        (["files", "ec-4-2"], #"{"storageClass":"ec-4-2"}"#), (["files", "default"], #"{"storageClass":"default"}"#),
        (["files", "replicated-3", "--reencode"], #"{"reencode":true,"storageClass":"replicated-3"}"#),
    ]

    @Test("set-class asks for exactly what it says, once, and tells what becomes of what is there", arguments: orders)
    func order(arguments: [String], body: String) async throws {
        try await ScriptedServer.with(script: Self.answer) { server in
            try await ClientFixture.with { fixture in
                let command = try #require(
                    try BucketCommand.parseAsRoot(["set-class"] + arguments + ["--server", server.url]) as? any ClientCommand)
                try await expect(command.execute(console: fixture.console), .success)
                let sent = server.requests.map { "\($0.method) \($0.uri) \(String(decoding: $0.body, as: UTF8.self))" }
                #expect(sent == ["PUT /cluster/buckets/files/storage-class \(body)"])
                #expect(fixture.output.contains("are stored as \(arguments[1])"))
                #expect(fixture.output.contains(arguments.count > 2 ? "stored anew" : "stay as they are"))
            }
            try await ClientFixture.with { fixture in
                try await expect(Self.run(server, fixture, "set-class", "files", "ec-4-2", "--json"), .success)
                #expect(fixture.output == Self.files + "\n")
            }
        }
    }

    @Test("a bucket that is not there is 2, a class that the server refuses 1, a change whose answer is lost 3 and not repeated")
    func failures() async throws {
        try await ScriptedServer.with(script: Self.answer) { server in
            try await ClientFixture.with { fixture in
                try await expect(Self.run(server, fixture, "set-class", "a/b", "ec-4-2"), .notFound)
                #expect(server.requests.last?.uri == "/cluster/buckets/a%2Fb/storage-class")
                #expect(fixture.errors.contains("There is no such bucket") && fixture.output.isEmpty)
            }
        }
        try await ScriptedServer.with(script: { _ in .problem(.badRequest, "no such class") }) { server in
            try await ClientFixture.with { fixture in
                try await expect(Self.run(server, fixture, "set-class", "files", "ec-0-9"), .failure)
            }
        }
        try await ScriptedServer.with(script: { _ in .hangUp }) { server in
            try await ClientFixture.with { fixture in
                try await expect(Self.run(server, fixture, "set-class", "files", "ec-4-2", "--reencode"), .unavailable)
                #expect(server.requests.count == 1 && fixture.errors.contains("may have been made or not"))
            }
        }
    }

    @Test("status tells how far it has come")
    func status() async throws {
        let document = ScriptedCluster.status.replacing(
            #""rebalance":null"#, with: #""rebalance":null,"reencodings":[\#(Self.reencoding)]"#)
        try await ScriptedServer.with(script: { _ in .json(document) }) { server in
            try await ClientFixture.with { fixture in
                try await expect(fixture.status(server), .success)
                let line = "storing files anew as ec-4-2: 4 of 10 objects looked at, 3 (3.0 GiB) written, 24.0 MiB/s, 1 to be tried again"
                #expect(fixture.outputLines.contains(line), "\(fixture.output)")
            }
        }
    }
}

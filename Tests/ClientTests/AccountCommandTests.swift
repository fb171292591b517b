import ArgumentParser
import Client
import Foundation
import NIOHTTP1
import SignatureV4
import Testing

@Suite("Accounts and access keys")
struct AccountCommandTests {
    private static let root = RootKey(accessKey: "AKROOT", secretKey: "secret/of+root")
    private static let anna = """
        {"id":"anna","displayName":"An\\u001b[2Jna","email":"anna@example.com","tenant":null,"createdAt":"2026-01-02T03:04:05.678Z"}
        """
    private static let pair = """
        {"accessKey":"AK1","secretKey":"s3cret","account":"anna","enabled":true,"createdAt":"2026-01-02T03:04:05.678Z"}
        """
    private static let key = #"{"accessKey":"AK1","account":"anna","enabled":false,"createdAt":"2026-01-02T03:04:05.678Z"}"#

    private static func answer(_ request: ReceivedRequest) -> ScriptedAnswer {
        switch (request.method, request.uri) {
        case (.GET, "/accounts"): .json(#"{"accounts":[\#(anna)]}"#)
        case (.POST, "/accounts"): .json(anna, status: .created)
        case (.GET, "/accounts/anna/keys"): .json(#"{"keys":[\#(key)]}"#)
        case (.POST, "/accounts/anna/keys"): .json(pair, status: .created)
        case (.PUT, "/keys/AK1"), (.DELETE, "/keys/AK1"): ScriptedAnswer(status: .noContent)
        default: .problem(.notFound, "There is no such account")
        }
    }

    private static func run(
        _ server: ScriptedServer, _ fixture: ClientFixture, _ command: any ParsableCommand.Type, _ arguments: [String]
    ) async throws -> Client.ExitStatus {
        let command = try #require(try command.parseAsRoot(arguments + ["--server", server.url]) as? any RootCommand)
        return try await command.execute(console: fixture.console, root: root)
    }

    private static let orders: [(command: any ParsableCommand.Type, arguments: [String], sent: String, said: String)] = [
        (
            AccountCommand.self, ["create", "--id", "anna", "--display-name", "Anna", "--email", "anna@example.com"],
            #"POST /accounts {"displayName":"Anna","email":"anna@example.com","id":"anna"}"#, "account anna was made\n"
        ),
        (
            AccountCommand.self, ["create", "--id", "anna", "--display-name", "Anna", "--email", "a@x", "--tenant", "t", "--json"],
            #"POST /accounts {"displayName":"Anna","email":"a@x","id":"anna","tenant":"t"}"#, anna + "\n"
        ),
        (KeyCommand.self, ["create", "--account", "anna"], "POST /accounts/anna/keys {}", "access key  AK1\nsecret key  s3cret\n"),
        (
            KeyCommand.self, ["create", "--account", "anna", "--access-key", "AK1", "--secret-key", "s3cret", "--json"],
            #"POST /accounts/anna/keys {"accessKey":"AK1","secretKey":"s3cret"}"#, pair + "\n"
        ),
        (KeyCommand.self, ["disable", "AK1"], #"PUT /keys/AK1 {"enabled":false}"#, "key AK1 is disabled\n"),
        (KeyCommand.self, ["enable", "AK1"], #"PUT /keys/AK1 {"enabled":true}"#, "key AK1 is enabled\n"),
        (KeyCommand.self, ["delete", "AK1"], "DELETE /keys/AK1 ", "key AK1 is deleted\n"),
        (KeyCommand.self, ["delete", "AK1", "--json"], "DELETE /keys/AK1 ", ""),
        (
            AccountCommand.self, ["ls"], "GET /accounts ",
            "ID    NAME      E-MAIL            TENANT\nanna  An\u{FFFD}[2Jna  anna@example.com  -\n"
        ),
        (AccountCommand.self, ["list", "--json"], "GET /accounts ", #"{"accounts":[\#(anna)]}"# + "\n"),
        (
            KeyCommand.self, ["list", "--account", "anna"], "GET /accounts/anna/keys ",
            "ACCESS KEY  STATE     MADE\nAK1         disabled  2026-01-02T03:04:05.678Z\n"
        ),
        (KeyCommand.self, ["ls", "--account", "anna", "--json"], "GET /accounts/anna/keys ", #"{"keys":[\#(key)]}"# + "\n"),
    ]

    @Test("every command asks for exactly what it says, once, and tells what the server said", arguments: orders.indices)
    func order(index: Int) async throws {
        let (command, arguments, sent, said) = Self.orders[index]
        try await ScriptedServer.with(script: Self.answer) { server in
            try await ClientFixture.with { fixture in
                try await expect(Self.run(server, fixture, command, arguments), .success)
                #expect(server.requests.map { "\($0.method) \($0.uri) \(String(decoding: $0.body, as: UTF8.self))" } == [sent])
                #expect(fixture.output == said)
            }
        }
    }

    @Test("requests are signed with the root key, whose secret is not sent, and show no token")
    func signature() async throws {
        try await ScriptedServer.with(script: Self.answer) { server in
            try await ClientFixture.with { fixture in
                try await expect(
                    Self.run(server, fixture, KeyCommand.self, ["create", "--account", "an na", "--token", "t0ken", "--retries", "0"]),
                    .notFound)
            }
            let request = try #require(server.requests.first)
            #expect(request.uri == "/accounts/an%20na/keys")
            let time = try #require(request.headers.first(name: "x-amz-date"))
            let expected = RequestSigner(accessKey: "AKROOT", secretKey: "secret/of+root").fields(
                method: "POST", path: "/accounts/an na/keys", host: String(server.url.dropFirst("http://".count)), body: Array("{}".utf8),
                time: time)
            for (name, value) in expected { #expect(request.headers[name] == [value], "\(name)") }
            #expect(!request.headers.contains { $0.value.contains("secret/of+root") || $0.value.contains("t0ken") })
        }
    }

    @Test("--http is another way of saying --server")
    func address() async throws {
        try await ScriptedServer.with(script: Self.answer) { server in
            try await ClientFixture.with { fixture in
                let arguments = ["ls", "--http", String(server.url.dropFirst("http://".count))]
                let command = try #require(try AccountCommand.parseAsRoot(arguments) as? any RootCommand)
                try await expect(command.execute(console: fixture.console, root: Self.root), .success)
                #expect(server.requests.count == 1)
            }
        }
    }

    @Test("what is not there is 2, what is refused 1, a change whose answer is lost 3 and not repeated")
    func failures() async throws {
        try await ScriptedServer.with(script: { _ in .problem(.forbidden, "the request is signed with another key") }) { server in
            try await ClientFixture.with { fixture in
                try await expect(Self.run(server, fixture, AccountCommand.self, ["ls"]), .failure)
                #expect(fixture.errors.contains("signed with another key") && fixture.output.isEmpty)
            }
        }
        try await ScriptedServer.with(script: Self.answer) { server in
            try await ClientFixture.with { fixture in
                try await expect(Self.run(server, fixture, KeyCommand.self, ["delete", "AK/2"]), .notFound)
                #expect(server.requests.last?.uri == "/keys/AK%2F2")
            }
        }
        try await ScriptedServer.with(script: { _ in .hangUp }) { server in
            try await ClientFixture.with { fixture in
                try await expect(Self.run(server, fixture, KeyCommand.self, ["create", "--account", "anna"]), .unavailable)
                #expect(server.requests.count == 1 && fixture.errors.contains("see chunkflow account ls and chunkflow key ls"))
            }
        }
    }

    @Test("the root key comes from the environment, both halves of it")
    func environment() throws {
        _ = try RootKey.read(["CHUNKFLOW_ROOT_ACCESS_KEY": "a", "CHUNKFLOW_ROOT_SECRET_KEY": "s"])
        for environment in [
            [:], ["CHUNKFLOW_ROOT_ACCESS_KEY": "a"], ["CHUNKFLOW_ROOT_ACCESS_KEY": "a", "CHUNKFLOW_ROOT_SECRET_KEY": ""],
            ["CHUNKFLOW_ROOT_SECRET_KEY": "very secret"],
        ] {
            let error = #expect(throws: ValidationError.self) { try RootKey.read(environment) }
            #expect(error.map { "\($0)".contains("CHUNKFLOW_ROOT_ACCESS_KEY") && !"\($0)".contains("very secret") } == true)
        }
    }
}

import Client
import Core
import Foundation
import NIOHTTP1
import Testing

/// Stores as a correct server does.
private func store(_ request: ReceivedRequest) -> ScriptedAnswer {
    request.method == .POST ? .json(description(request.body, fileID: "new"), status: .created) : ScriptedAnswer(status: .noContent)
}

@Suite("Uploading")
struct UploadTests {
    private let bytes = content(2_500_000)

    @Test("the server gets the bytes, the length, the name and the type; scripts get one JSON object a file")
    func upload() async throws {
        try await ScriptedServer.with(script: store) { server in
            try await ClientFixture.with { fixture in
                let path = try fixture.write(bytes, to: "ä b&c=1.JPG")
                let empty = try fixture.write([], to: "empty")
                try await expect(fixture.upload(server, path, empty, "--json"), .success)
                let requests = server.requests(.POST, "/upload")
                #expect(requests.map(\.body) == [bytes, []])
                #expect(requests.map(\.uri) == ["/upload?name=%C3%A4%20b%26c%3D1.JPG", "/upload?name=empty"])
                #expect(requests.map { $0.headers.first(name: "Content-Type") } == ["image/jpeg", "application/octet-stream"])
                #expect(requests.map { $0.headers.first(name: "Content-Length") } == ["2500000", "0"])
                let json = try fixture.json()
                #expect(json.map { $0["path"] as? String } == [path, empty])
                #expect(json.map { $0["fileID"] as? String } == ["new", "new"])
                #expect(json.map { $0["checksum"] as? String } == [checksum(bytes), checksum([])])
            }
        }
    }

    @Test("name and type can be given")
    func givenName() async throws {
        try await ScriptedServer.with(script: store) { server in
            try await ClientFixture.with { fixture in
                let path = try fixture.write(bytes, to: "x")
                try await expect(fixture.upload(server, path, "--name", "report.pdf"), .success)
                try await expect(fixture.upload(server, path, "--name", "y", "--content-type", "text/csv"), .success)
                #expect(server.requests.map { $0.headers.first(name: "Content-Type") } == ["application/pdf", "text/csv"])
                #expect(server.requests.first?.uri == "/upload?name=report.pdf")
            }
        }
    }

    @Test("a server that stored something else is found out, and it is removed again", arguments: [true, false])
    func mismatch(isShorter: Bool) async throws {
        let script: ScriptedServer.Script = { request in
            guard request.method == .POST else { return ScriptedAnswer(status: .noContent) }
            var stored = request.body
            if isShorter { stored.removeLast() } else { stored[5] ^= 1 }
            return .json(description(stored, fileID: "bad"), status: .created)
        }
        try await ScriptedServer.with(script: script) { server in
            try await ClientFixture.with { fixture in
                try await expect(fixture.upload(server, fixture.write(bytes, to: "x")), .failure)
                #expect(server.requests(.DELETE, "/files/bad").count == 1)
                #expect(fixture.output.isEmpty)
            }
        }
    }

    @Test("a connection that breaks before all was sent is tried again")
    func brokenEarly() async throws {
        let large = [UInt8](repeating: 7, count: 20_000_000)
        try await ScriptedServer.with(breakUploadsAfter: [100_000], script: store) { server in
            try await ClientFixture.with { fixture in
                try await expect(fixture.upload(server, fixture.write(large, to: "x")), .success)
                #expect(server.requests.map { $0.body == large } == [true])
                #expect(fixture.errors.contains("trying again"))
            }
        }
    }

    @Test("an upload whose acknowledgement got lost is not sent twice")
    func lostAnswer() async throws {
        try await ScriptedServer.with(script: { _ in .hangUp }) { server in
            try await ClientFixture.with { fixture in
                try await expect(fixture.upload(server, fixture.write(bytes, to: "x"), "--json"), .unavailable)
                #expect(server.requests.count == 1)
                #expect(try fixture.json().first?["exitCode"] as? Int == 3)
                #expect(fixture.errors.contains("may be stored or not"))
            }
        }
    }

    @Test("an unavailable server is tried again, a refusal is final")
    func unavailable() async throws {
        let count = Counter()
        let script: ScriptedServer.Script = { request in
            count.next() == 1 ? .problem(.serviceUnavailable, "wait", headers: ["Retry-After": "0"]) : store(request)
        }
        try await ScriptedServer.with(script: script) { server in
            try await ClientFixture.with { fixture in
                try await expect(fixture.upload(server, fixture.write([1], to: "x")), .success)
                #expect(server.requests.count == 2)
            }
        }
        try await ScriptedServer.with(script: { _ in .problem(.insufficientStorage, "no room") }) { server in
            try await ClientFixture.with { fixture in
                try await expect(fixture.upload(server, fixture.write([1], to: "x")), .failure)
                #expect(server.requests.count == 1)
                #expect(fixture.errors.contains("refused with 507: problem: no room"))
            }
        }
    }

    @Test("a refusal that comes before the body was sent ends the upload at once")
    func refusedEarly() async throws {
        let large = [UInt8](repeating: 7, count: 50_000_000)
        try await ScriptedServer.with(answersEarly: true, script: { _ in .problem(.insufficientStorage, "no room") }) { server in
            try await ClientFixture.with { fixture in
                try await expect(fixture.upload(server, fixture.write(large, to: "x")), .failure)
                #expect(fixture.errors.contains("refused with 507: problem: no room"))
                #expect(server.requests.count == 1)
            }
        }
    }

    @Test("one file that cannot be read does not keep the others from being stored, and the status says that not all were")
    func someFail() async throws {
        try await ScriptedServer.with(script: store) { server in
            try await ClientFixture.with { fixture in
                let path = try fixture.write([1], to: "x")
                try await expect(fixture.upload(server, fixture.path("missing"), fixture.directory.path, path), .failure)
                #expect(server.requests.count == 1)
                #expect(fixture.errors.contains("No such file or directory"))
                #expect(fixture.errors.contains("not a regular file"))
            }
        }
    }
}

import Client
import Core
import NIOCore
import NIOHTTP1
import Testing

@Suite("Backups of the metadata")
struct BackupTests {
    private let content = (0..<300_000).map { UInt8(truncatingIfNeeded: $0 / 7) }

    private func answer(_ content: [UInt8], digestOf digested: [UInt8]? = nil) -> ScriptedAnswer {
        var digest = SHA256Digest()
        digest.update(ByteBuffer(bytes: digested ?? content))
        return ScriptedAnswer(headers: ["Repr-Digest": digest.fieldText], body: content)
    }

    @Test("a backup is written when it matches its digest, and only then")
    func digest() async throws {
        let changed = content.dropLast() + [content.last! ^ 1]
        for (sent, status) in [(content, ExitStatus.success), (Array(changed), .failure)] {
            try await ScriptedServer.with(script: { _ in answer(sent, digestOf: content) }) { server in
                try await ClientFixture.with { fixture in
                    try await expect(fixture.backup(server, fixture.path("b"), "--retries", "1"), status)
                    #expect(fixture.names == (status == .success ? ["b"] : []))
                    #expect(fixture.read("b") == (status == .success ? content : nil))
                    #expect(server.requests(.GET, "/cluster/metadata/backup").count == 1)
                }
            }
        }
    }

    @Test("a backup that breaks off is begun anew")
    func broken() async throws {
        let count = Counter()
        let script: ScriptedServer.Script = { _ in
            var answer = answer(content)
            if count.next() == 1 { answer.breakAfter = 200_000 }
            return answer
        }
        try await ScriptedServer.with(script: script) { server in
            try await ClientFixture.with { fixture in
                try await expect(fixture.backup(server, fixture.path("b")), .success)
                #expect(fixture.read("b") == content)
                #expect(server.requests.count == 2)
            }
        }
    }

    @Test("an answer without a digest is not taken for a backup")
    func withoutDigest() async throws {
        try await ScriptedServer.with(script: { _ in ScriptedAnswer(body: content) }) { server in
            try await ClientFixture.with { fixture in
                try await expect(fixture.backup(server, fixture.path("b")), .failure)
                #expect(fixture.names == [])
            }
        }
    }
}

import Client
import Foundation
import NIOHTTP1
import Testing

/// Where a request wants the content from; nil when it wants all of it.
private func offset(_ request: ReceivedRequest) -> Int? {
    request.headers.first(name: "Range").flatMap { Int($0.dropFirst("bytes=".count).dropLast()) }
}

@Suite("Downloading")
struct DownloadTests {
    private let bytes = content(3_000_000)

    @Test("a file arrives whole, under its name only, and nothing else stays beside it", arguments: [0, 1, 3_000_000])
    func whole(size: Int) async throws {
        let bytes = content(size)
        try await ScriptedServer.with(script: { serve($0, bytes) }) { server in
            try await ClientFixture.with { fixture in
                try await expect(fixture.download(server, "f1", "-o", fixture.path("out")), .success)
                #expect(fixture.read("out") == bytes)
                #expect(fixture.names == ["out"])
            }
        }
    }

    @Test("a connection that breaks is gone on with where it broke, under the same ETag")
    func resumesInOneRun() async throws {
        let count = Counter()
        let script: ScriptedServer.Script = { [bytes] request in
            request.path == "/download/f1" ? serve(request, bytes, breakAfter: count.next() <= 3 ? 700_000 : nil) : serve(request, bytes)
        }
        try await ScriptedServer.with(script: script) { server in
            try await ClientFixture.with { fixture in
                try await expect(fixture.download(server, "f1", "-o", fixture.path("out"), "--retries", "1"), .success)
                #expect(fixture.read("out") == bytes)
                let downloads = server.requests(.GET, "/download/f1")
                #expect(downloads.first?.headers.contains(name: "Range") == false)
                // What arrived just before the break may be lost with the connection; what was there before it never is.
                let starts = try downloads.dropFirst().map { try #require(offset($0)) }
                #expect(starts.count >= 3)
                #expect(starts == starts.sorted() && starts[0] > 0 && starts[0] <= 700_000)
                #expect(downloads.dropFirst().allSatisfy { $0.headers.first(name: "If-Range") == "\"e1\"" })
                #expect(fixture.errors.contains("trying again"))
            }
        }
    }

    @Test("a later run goes on where an earlier one gave up")
    func resumesInALaterRun() async throws {
        try await ClientFixture.with { fixture in
            try await ScriptedServer.with(script: { [bytes] in serve($0, bytes, breakAfter: 700_000) }) { server in
                let status = try await fixture.download(server, "f1", "-o", fixture.path("out"), "--retries", "0")
                #expect(status == .unavailable)
                #expect(fixture.names == ["out.part", "out.part.json"])
            }
            let there = try #require(fixture.read("out.part")?.count)
            #expect(there > 0)
            try await ScriptedServer.with(script: { [bytes] in serve($0, bytes) }) { server in
                try await expect(fixture.download(server, "f1", "-o", fixture.path("out"), "--json"), .success)
                #expect(server.requests(.GET, "/download/f1").map(offset) == [there])
                #expect(fixture.read("out") == bytes)
                #expect(fixture.names == ["out"])
                #expect(try fixture.json().last?["resumedFrom"] as? Int == there)
            }
        }
    }

    @Test("what is there of another version is not used")
    func otherVersion() async throws {
        let newer = content(3_000_000, seed: 2)
        try await ClientFixture.with { fixture in
            try await ScriptedServer.with(script: { [bytes] in serve($0, bytes, breakAfter: 700_000) }) { server in
                _ = try await fixture.download(server, "f1", "-o", fixture.path("out"), "--retries", "0")
            }
            try await ScriptedServer.with(script: { serve($0, newer, etag: "e2") }) { server in
                try await expect(fixture.download(server, "f1", "-o", fixture.path("out")), .success)
                #expect(server.requests(.GET, "/download/f1").map { $0.headers.first(name: "Range") } == [nil])
                #expect(fixture.read("out") == newer)
            }
        }
    }

    @Test("a damaged part is noticed and fetched again from the start")
    func damagedPart() async throws {
        try await ClientFixture.with { fixture in
            try await ScriptedServer.with(script: { [bytes] in serve($0, bytes, breakAfter: 700_000) }) { server in
                _ = try await fixture.download(server, "f1", "-o", fixture.path("out"), "--retries", "0")
            }
            var part = try #require(fixture.read("out.part"))
            part[123] ^= 1
            // In place: the file of the earlier run.
            let handle = try #require(FileHandle(forWritingAtPath: fixture.path("out.part")))
            try handle.write(contentsOf: Data(part))
            try handle.close()
            try await ScriptedServer.with(script: { [bytes] in serve($0, bytes) }) { server in
                try await expect(fixture.download(server, "f1", "-o", fixture.path("out")), .success)
                #expect(server.requests(.GET, "/download/f1").map(offset) == [part.count, nil])
                #expect(fixture.read("out") == bytes)
                #expect(fixture.errors.contains("is damaged"))
            }
        }
    }

    @Test("a server that knows no ranges is asked again for everything")
    func withoutRanges() async throws {
        let count = Counter()
        let script: ScriptedServer.Script = { [bytes] request in
            guard request.path == "/download/f1" else { return serve(request, bytes) }
            return ScriptedAnswer(body: bytes, breakAfter: count.next() == 1 ? 700_000 : nil)
        }
        try await ScriptedServer.with(script: script) { server in
            try await ClientFixture.with { fixture in
                try await expect(fixture.download(server, "f1", "-o", fixture.path("out")), .success)
                #expect(fixture.read("out") == bytes)
            }
        }
    }

    @Test("a range other than the one that was asked for is refused")
    func wrongRange() async throws {
        let count = Counter()
        let script: ScriptedServer.Script = { [bytes] request in
            guard request.path == "/download/f1", count.next() > 1 else { return serve(request, bytes, breakAfter: 700_000) }
            return ScriptedAnswer(
                status: .partialContent, headers: ["Content-Range": "bytes 0-2999999/3000000"], body: bytes)
        }
        let all: ScriptedServer.Script = { [bytes] in $0.path == "/files/f1" ? serve($0, bytes) : script($0) }
        try await ScriptedServer.with(script: all) { server in
            try await ClientFixture.with { fixture in
                try await expect(fixture.download(server, "f1", "-o", fixture.path("out")), .failure)
                #expect(fixture.read("out") == nil)
                #expect(fixture.errors.contains("asked for bytes from"))
            }
        }
    }

    @Test(
        "content that does not match its checksum is thrown away, and what had the name before stays",
        arguments: [
            checksum(content(10)), "none",
        ])
    func checksumMismatch(sum: String) async throws {
        // Without a CRC-32C the ETag is held to be the MD5: here it is that of something else.
        let script: ScriptedServer.Script = { [bytes] in
            serve($0, bytes, etag: String(repeating: "0", count: 32), checksum: sum)
        }
        try await ScriptedServer.with(script: script) { server in
            try await ClientFixture.with { fixture in
                _ = try fixture.write([1, 2, 3], to: "out")
                try await expect(fixture.download(server, "f1", "-o", fixture.path("out")), .failure)
                #expect(fixture.read("out") == [1, 2, 3])
                #expect(fixture.names == ["out"])
                #expect(fixture.errors.contains("does not match its checksum"))
            }
        }
    }

    @Test("a file without a checksum is not taken on trust")
    func noChecksum() async throws {
        try await ScriptedServer.with(script: { [bytes] in serve($0, bytes, checksum: "none") }) { server in
            try await ClientFixture.with { fixture in
                try await expect(fixture.download(server, "f1", "-o", fixture.path("out")), .failure)
                #expect(fixture.read("out") == nil)
            }
        }
    }

    @Test("a link stays a link: what it points to is replaced")
    func throughLink() async throws {
        try await ScriptedServer.with(script: { [bytes] in serve($0, bytes) }) { server in
            try await ClientFixture.with { fixture in
                _ = try fixture.write([1], to: "real")
                try FileManager.default.createSymbolicLink(atPath: fixture.path("link"), withDestinationPath: fixture.path("real"))
                try await expect(fixture.download(server, "f1", "-o", fixture.path("link")), .success)
                #expect(fixture.read("real") == bytes)
                #expect(try FileManager.default.destinationOfSymbolicLink(atPath: fixture.path("link")) == fixture.path("real"))
            }
        }
    }

    @Test("what is no regular file is written to, not replaced")
    func toPipe() async throws {
        let small = content(10_000)
        try await ScriptedServer.with(script: { serve($0, small) }) { server in
            try await ClientFixture.with { fixture in
                #expect(mkfifo(fixture.path("pipe"), 0o600) == 0)
                // Open on both ends, so that nobody waits; it holds 64 KiB.
                let pipe = open(fixture.path("pipe"), O_RDWR)
                defer { close(pipe) }
                try await expect(fixture.download(server, "f1", "-o", fixture.path("pipe")), .success)
                var got = [UInt8](repeating: 0, count: 20_000)
                #expect(read(pipe, &got, got.count) == small.count)
                #expect(Array(got.prefix(small.count)) == small)
                #expect(fixture.names == ["pipe"])
            }
        }
    }

    @Test("two downloads to one name do not mix")
    func locked() async throws {
        try await ClientFixture.with { fixture in
            let first = try PartFile(target: fixture.path("out"))
            #expect(throws: ClientError.self) { try PartFile(target: fixture.path("out")) }
            withExtendedLifetime(first) {}
        }
    }

    @Test("the exit status says what went wrong: no such file, no server, server unavailable")
    func exitStatus() async throws {
        let script: ScriptedServer.Script = { request in
            request.path == "/files/busy"
                ? .problem(.serviceUnavailable, "fewer nodes than the write quorum", headers: ["Retry-After": "0"])
                : .problem(.notFound, "there is no such file")
        }
        try await ClientFixture.with { fixture in
            let gone = try await ScriptedServer.with(script: script) { server in
                try await expect(fixture.download(server, "nothing", "-o", fixture.path("out")), .notFound)
                #expect(fixture.errors.contains("there is no such file (request r-1)"))
                try await expect(fixture.download(server, "busy", "-o", fixture.path("out"), "--retries", "2"), .unavailable)
                #expect(server.requests(.GET, "/files/busy").count == 3)
                return server
            }
            try await expect(fixture.download(gone, "f1", "-o", fixture.path("out"), "--retries", "0"), .unavailable)
            #expect(fixture.errors.contains("cannot be reached"))
            #expect(!fixture.names.contains("out"))
        }
    }
}

import ArgumentParser
import Client
import Core
import Foundation
import NIOCore
import NIOHTTP1
import Synchronization
import Testing

/// A directory that goes away with the test, and a console that remembers.
struct ClientFixture {
    let directory: URL
    private let written = Written()

    private final class Written: Sendable {
        let output = Mutex("")
        let errors = Mutex("")
    }

    static func with<Result>(_ body: (ClientFixture) async throws -> Result) async throws -> Result {
        let directory = FileManager.default.temporaryDirectory.appending(path: "client-\(UUID().uuidString)").resolvingSymlinksInPath()
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: directory) }
        return try await body(ClientFixture(directory: directory))
    }

    private init(directory: URL) { self.directory = directory }

    func path(_ name: String) -> String { directory.appending(path: name).path }

    func write(_ bytes: [UInt8], to name: String) throws -> String {
        try Data(bytes).write(to: URL(fileURLWithPath: path(name)))
        return path(name)
    }

    /// nil when there is no such file.
    func read(_ name: String) -> [UInt8]? { FileManager.default.contents(atPath: path(name)).map { Array($0) } }

    /// Everything in the directory.
    var names: Set<String> { Set((try? FileManager.default.contentsOfDirectory(atPath: directory.path)) ?? []) }

    var console: Console {
        let written = written
        return Console(
            isTerminal: false, width: 80, output: { text in written.output.withLock { $0 += text } },
            errors: { text in written.errors.withLock { $0 += text } })
    }

    var output: String { written.output.withLock { $0 } }
    var outputLines: [String] { output.split(separator: "\n").map(String.init) }
    var errors: String { written.errors.withLock { $0 } }

    /// The lines of the output as JSON objects.
    func json() throws -> [[String: any Sendable]] {
        try outputLines.map { line in
            try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: any Sendable] ?? [:]
        }
    }

    func upload(_ server: ScriptedServer, _ arguments: String...) async throws -> Client.ExitStatus {
        try await UploadCommand.parse(arguments + ["--server", server.url]).execute(console: console)
    }

    func download(_ server: ScriptedServer, _ arguments: String...) async throws -> Client.ExitStatus {
        try await DownloadCommand.parse(arguments + ["--server", server.url]).execute(console: console)
    }

    func list(_ server: ScriptedServer, _ arguments: String...) async throws -> Client.ExitStatus {
        try await ListCommand.parse(arguments + ["--server", server.url]).execute(console: console)
    }

    func remove(_ server: ScriptedServer, _ arguments: String...) async throws -> Client.ExitStatus {
        try await RemoveCommand.parse(arguments + ["--server", server.url]).execute(console: console)
    }

    func status(_ server: ScriptedServer, _ arguments: String...) async throws -> Client.ExitStatus {
        try await StatusCommand.parse(arguments + ["--server", server.url]).execute(console: console)
    }

    func backup(_ server: ScriptedServer, _ arguments: String...) async throws -> Client.ExitStatus {
        try await BackupCommand.parse(arguments + ["--server", server.url]).execute(console: console)
    }

    /// `chunkflow cluster ...`
    func cluster(_ server: ScriptedServer, _ arguments: String...) async throws -> Client.ExitStatus {
        try await cluster(arguments + ["--server", server.url])
    }

    func cluster(_ arguments: [String]) async throws -> Client.ExitStatus {
        let command = try #require(try ClusterCommand.parseAsRoot(arguments) as? any ClientCommand)
        return try await command.execute(console: console)
    }
}

/// Bytes that look like nothing in particular, the same for equal seeds.
func content(_ count: Int, seed: UInt64 = 1) -> [UInt8] {
    let random = SeededRandom(seed: seed)
    var bytes: [UInt8] = []
    bytes.reserveCapacity(count + 8)
    while bytes.count < count { withUnsafeBytes(of: random.next()) { bytes.append(contentsOf: $0) } }
    return Array(bytes.prefix(count))
}

/// `crc32c:` and hexadecimal, as the server says it.
func checksum(_ bytes: [UInt8]) -> String {
    let digits = String(CRC32C.checksum(bytes), radix: 16)
    return "crc32c:" + String(repeating: "0", count: 8 - digits.count) + digits
}

/// A file's description as the server sends it.
func description(
    _ bytes: [UInt8], fileID: String = "f1", name: String = "a.bin", etag: String = "e1", checksum sum: String? = nil
) -> String {
    #"{"fileID":"\#(fileID)","name":"\#(name)","size":\#(bytes.count),"contentType":"application/octet-stream","etag":"\#(etag)","#
        + #""checksum":"\#(sum ?? checksum(bytes))","createdAt":"2026-01-02T03:04:05.678Z"}"#
}

/// Serves `bytes` as the file `f1`, ranges included, as a correct server does.
func serve(
    _ request: ReceivedRequest, _ bytes: [UInt8], etag: String = "e1", checksum: String? = nil, breakAfter: Int? = nil
) -> ScriptedAnswer {
    switch request.path {
    case "/files/f1": return .json(description(bytes, etag: etag, checksum: checksum))
    case "/download/f1":
        var answer = ScriptedAnswer(headers: ["ETag": "\"\(etag)\""], body: bytes, breakAfter: breakAfter)
        let isUnchanged = request.headers.first(name: "If-Range").map { $0 == "\"\(etag)\"" } ?? true
        if isUnchanged, let range = request.headers.first(name: "Range"), let start = Int(range.dropFirst("bytes=".count).dropLast()) {
            answer.status = .partialContent
            answer.body = Array(bytes[start...])
            answer.headers.add(name: "Content-Range", value: "bytes \(start)-\(bytes.count - 1)/\(bytes.count)")
        }
        return answer
    default: return .problem(.notFound, "there is no such file")
    }
}

/// Counts calls, from any thread.
final class Counter: Sendable {
    private let value = Mutex(0)
    /// 1 for the first call.
    func next() -> Int {
        value.withLock {
            $0 += 1
            return $0
        }
    }
}

/// Claims that a command ended with this status. A function, because a closure whose only `try` stands in a macro counts as one that
/// does not throw.
func expect(_ status: Client.ExitStatus, _ expected: Client.ExitStatus, sourceLocation: SourceLocation = #_sourceLocation) {
    #expect(status == expected, sourceLocation: sourceLocation)
}

import Core
import FoundationEssentials
import HTTPEdge
import Logging
import Metadata
import NIOHTTP1
import Synchronization
import Testing

@testable import S3API

@Suite("Keys of encryption at rest")
struct KeyTests {
    private static let context = KeyContext(mode: .named, keyName: "k", bucket: "b", key: "a/b")

    @Test("a data key opens under its wrapping key, for what it was wrapped for, and nowhere else")
    func wrapping() throws {
        let (wrapping, dataKey) = (WrappingKey(randomBytes(32)), DataKey())
        let wrapped = try dataKey.wrapped(by: wrapping, for: Self.context)
        let opened = try #require(DataKey(wrapped, by: wrapping, for: Self.context))
        #expect(opened.entityTag(md5: [1]) == dataKey.entityTag(md5: [1]))
        #expect(DataKey(wrapped, by: WrappingKey(randomBytes(32)), for: Self.context) == nil)
        for other in [
            KeyContext(mode: .managed, keyName: "k", bucket: "b", key: "a/b"),
            KeyContext(mode: .named, keyName: "x", bucket: "b", key: "a/b"),
            KeyContext(mode: .named, keyName: "k", bucket: "b/a", key: "b"),
            KeyContext(mode: .named, keyName: "k", bucket: "b", key: "a/c"),
            KeyContext(mode: .named, keyName: nil, bucket: "kb", key: "a/b"),
        ] { #expect(DataKey(wrapped, by: wrapping, for: other) == nil, "\(other)") }
        var bytes = try #require(Data(base64Encoded: wrapped))
        for place in 0..<bytes.count {
            bytes[place] ^= 1
            #expect(DataKey(bytes.base64EncodedString(), by: wrapping, for: Self.context) == nil, "byte \(place)")
            bytes[place] ^= 1
        }
        for text in ["", "AQ==", "no base64", String(wrapped.dropLast(4))] {
            #expect(DataKey(text, by: wrapping, for: Self.context) == nil)
        }
    }

    @Test("what is kept of a key has nothing of the key in it, and differs every time")
    func keptTexts() throws {
        let bytes = randomBytes(32)
        let (wrapping, dataKey) = (WrappingKey(bytes), DataKey())
        let texts = try (0..<2).map { _ in try dataKey.wrapped(by: wrapping, for: Self.context) }
        #expect(texts[0] != texts[1])
        #expect(wrapping.identifier == WrappingKey(bytes).identifier && wrapping.identifier.count == 16)
        #expect(!hexadecimal(bytes).contains(wrapping.identifier))
    }

    @Test("an entity tag is the same for the same bytes under one key, and another under another")
    func entityTags() {
        let key = DataKey()
        let md5 = [UInt8](repeating: 7, count: 16)
        #expect(key.entityTag(md5: md5) == key.entityTag(md5: md5))
        #expect(key.entityTag(md5: md5) != DataKey().entityTag(md5: md5))
        #expect(key.entityTag(md5: md5).count == 32 && key.entityTag(md5: md5) != hexadecimal(md5))
    }

    @Test("runs of numbers of parts are text and numbers again")
    func partRuns() {
        for numbers in [[1], [1, 2, 3], [2, 4, 5, 9], Array(1...10_000), [10_000]] {
            #expect(PartRuns.numbers(PartRuns.text(numbers), maximum: numbers.count) == numbers)
        }
        #expect(PartRuns.text([1, 2, 3, 4, 6]) == "1-4,6")
        for text in ["", "0", "2,1", "3-2", "1-2-3", "a", "1,,2", "1-4", "-1", "1-99999999999"] {
            #expect(PartRuns.numbers(text, maximum: 3) == nil, "\(text)")
        }
    }

    // MARK: Requests

    private static let goodKey = "pO3upElrwuEXSoFwCfnZPdSsmt/xWeFa0N9KgDijwVs="
    private static let goodMD5 = "DWygnHRtgiJ77HCm+1rvHw=="
    private static let prefix = "x-amz-server-side-encryption"

    private static func code(_ fields: [String: String]) -> S3Error.Code? {
        do {
            _ = try EncryptionRequest(HTTPHeaders(fields.map { ($0.key, $0.value) }))
            return nil
        } catch {
            return error.code
        }
    }

    @Test("what fields say of encryption is understood")
    func understood() throws {
        let none = try EncryptionRequest([:])
        #expect(none == nil)
        guard case .managed? = try EncryptionRequest([Self.prefix: "AES256"]) else { return #expect(Bool(false), "AES256") }
        guard case .named("k")? = try EncryptionRequest([Self.prefix: "aws:kms", "\(Self.prefix)-aws-kms-key-id": "k"]) else {
            return #expect(Bool(false), "aws:kms")
        }
        let customer: HTTPHeaders = [
            "\(Self.prefix)-customer-algorithm": "AES256", "\(Self.prefix)-customer-key": Self.goodKey,
            "\(Self.prefix)-customer-key-MD5": Self.goodMD5,
        ]
        guard case .customer(let key)? = try EncryptionRequest(customer) else { return #expect(Bool(false), "customer") }
        #expect(key.md5Text == Self.goodMD5)
    }

    @Test("what contradicts itself, or is not known, is refused")
    func refused() {
        let (kms, customer) = ("\(Self.prefix)-aws-kms-key-id", "\(Self.prefix)-customer")
        let good = ["\(customer)-algorithm": "AES256", "\(customer)-key": Self.goodKey, "\(customer)-key-md5": Self.goodMD5]
        #expect(Self.code([Self.prefix: "aes:kms"]) == .invalidArgument)
        #expect(Self.code([Self.prefix: "aws:kms"]) == .invalidArgument)
        #expect(Self.code([Self.prefix: "aws:kms:dsse", kms: "k"]) == .notImplemented)
        #expect(Self.code([Self.prefix: "AES256", kms: "k"]) == .invalidArgument)
        #expect(Self.code([kms: "k"]) == .invalidArgument)
        #expect(Self.code([Self.prefix: "aws:kms", kms: "k", "\(Self.prefix)-context": "e30="]) == .notImplemented)
        #expect(Self.code(good) == nil)
        #expect(Self.code(good.merging([Self.prefix: "AES256"]) { $1 }) == .invalidArgument)
        #expect(Self.code(good.merging([Self.prefix: "aws:kms", kms: "k"]) { $1 }) == .invalidArgument)
        for name in good.keys { #expect(Self.code(good.filter { $0.key != name }) == .invalidArgument, "without \(name)") }
        #expect(Self.code(good.merging(["\(customer)-algorithm": "AES192"]) { $1 }) == .invalidEncryptionAlgorithm)
        #expect(Self.code(good.merging(["\(customer)-key-md5": "AAAAAAAAAAAAAAAAAAAAAA=="]) { $1 }) == .invalidArgument)
        #expect(Self.code(good.merging(["\(customer)-key": "c2hvcnQ="]) { $1 }) == .invalidArgument)
        #expect(Self.code(good.merging(["\(customer)-key": "%"]) { $1 }) == .invalidArgument)
    }

    // MARK: The key ring

    /// What a ring of one server sees; another one on the same directory is the server after a restart.
    private struct Server {
        let directory: URL
        let wasMade = Flag()
        var isShared = false
        var keys: [String: [UInt8]] = [:]

        final class Flag: Sendable {
            private let state = Mutex(false)
            var isSet: Bool { state.withLock { $0 } }
            func set() { state.withLock { $0 = true } }
        }

        var path: String { directory.path + "/sse-s3.key" }

        func ring() -> KeyRing {
            let notes = MasterKeyNotes(
                isShared: isShared, wasMade: { [wasMade] in wasMade.isSet }, noteMade: { [wasMade] in wasMade.set() })
            return KeyRing(
                EncryptionKeys(keys: keys, masterKeyPath: path), notes: notes, executor: InlineExecutor(),
                logger: Logger(label: "silent") { _ in SwiftLogNoOpLogHandler() })
        }
    }

    private static func withServer(_ body: (Server) async throws -> Void) async throws {
        let directory = URL(fileURLWithPath: "/tmp/chunkflow-ring-\(SystemRandom().next())")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: directory) }
        try await body(Server(directory: directory))
    }

    @Test("of all who need the first master key at once one makes it, and it stays")
    func madeOnce() async throws {
        try await Self.withServer { server in
            let ring = server.ring()
            let identifiers = try await withThrowingTaskGroup(of: String.self) { group in
                for _ in 0..<20 { group.addTask { try await ring.currentMaster().identifier } }
                return try await group.reduce(into: Set<String>()) { $0.insert($1) }
            }
            #expect(identifiers.count == 1 && server.wasMade.isSet)
            let later = server.ring()
            let found = [try await later.currentMaster().identifier, try await later.master(identifiers.first ?? "").identifier]
            #expect(Set(found) == identifiers)
            await #expect(throws: EncryptionError.self) { try await later.master("0123456789abcdef") }
        }
    }

    @Test("a master key that is lost is not replaced; one that no note was taken of is found")
    func lost() async throws {
        try await Self.withServer { server in
            let identifier = try await server.ring().currentMaster().identifier
            let content = try Data(contentsOf: URL(fileURLWithPath: server.path))
            try FileManager.default.removeItem(atPath: server.path)
            for _ in 0..<2 {
                await #expect(throws: EncryptionError.self) { try await server.ring().currentMaster() }
                await #expect(throws: EncryptionError.self) { try await server.ring().master(identifier) }
            }
            #expect(!FileManager.default.fileExists(atPath: server.path))
            // A crash between the file and the note.
            try content.write(to: URL(fileURLWithPath: server.path))
            let crashed = Server(directory: server.directory)
            let found = try await crashed.ring().currentMaster().identifier
            #expect(found == identifier && crashed.wasMade.isSet)
        }
    }

    @Test("a read makes no master key, and servers that share the metadata make none at all")
    func madeByNobody() async throws {
        try await Self.withServer { server in
            await #expect(throws: EncryptionError.self) { try await server.ring().master("0123456789abcdef") }
            var shared = server
            shared.isShared = true
            await #expect(throws: EncryptionError.self) { try await shared.ring().currentMaster() }
            #expect(!FileManager.default.fileExists(atPath: server.path) && !server.wasMade.isSet)
            shared.keys["sse-s3"] = randomBytes(32)
            let found = try await shared.ring().currentMaster().identifier
            #expect(found == WrappingKey(shared.keys["sse-s3"] ?? []).identifier)
        }
    }

    @Test("earlier master keys read, the present one writes, and neither is a key of SSE-KMS")
    func rotation() async throws {
        try await Self.withServer { server in
            var server = server
            let (old, new) = (randomBytes(32), randomBytes(32))
            server.keys = ["sse-s3": new, "sse-s3-2026": old, "k": randomBytes(32)]
            let ring = server.ring()
            let (oldName, newName) = (WrappingKey(old).identifier, WrappingKey(new).identifier)
            let (current, earlier) = (try await ring.currentMaster().identifier, try await ring.master(oldName).identifier)
            #expect(current == newName && earlier == oldName)
            #expect(throws: EncryptionError.noSuchKey("sse-s3")) { try ring.named("sse-s3") }
            #expect(throws: EncryptionError.noSuchKey("sse-s3-2026")) { try ring.named("sse-s3-2026") }
            #expect(throws: Never.self) { try ring.named("k") }
            #expect(!FileManager.default.fileExists(atPath: server.path))
        }
    }

    // MARK: The master key's file

    @Test("a master key that is made is found again; its file is for its owner alone, and replaces nothing")
    func masterKeyFile() throws {
        let directory = URL(fileURLWithPath: "/tmp/chunkflow-key-\(SystemRandom().next())")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: directory) }
        let file = MasterKeyFile(path: directory.path + "/sse-s3.key", name: "sse-s3")
        #expect(try file.read() == nil)
        let key = randomBytes(32)
        try file.make(key)
        #expect(try file.read() == key)
        let attributes = try FileManager.default.attributesOfItem(atPath: file.path)
        #expect((attributes[.posixPermissions] as? Int) == 0o600)
        #expect(throws: EncryptionError.self) { try file.make(randomBytes(32)) }
        #expect(try file.read() == key)
        #expect(try FileManager.default.contentsOfDirectory(atPath: directory.path) == ["sse-s3.key"])
        try Data("sse-s3: short\n".utf8).write(to: URL(fileURLWithPath: file.path))
        #expect(throws: EncryptionError.self) { try file.read() }
    }
}

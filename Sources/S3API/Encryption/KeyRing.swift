internal import Core
internal import FoundationEssentials
internal import Logging
internal import Metadata
import Synchronization

/// The keys with which a server encrypts objects, as its configuration gives them.
public struct EncryptionKeys: Sendable {
    /// By name, 32 bytes each. Those of SSE-KMS, and the master keys of SSE-S3: `sse-s3`, and the earlier ones, `sse-s3-...`.
    public var keys: [String: [UInt8]]
    /// Where a master key of SSE-S3 is kept that was not given: made at first use. nil: none is made.
    public var masterKeyPath: String?

    public init(keys: [String: [UInt8]] = [:], masterKeyPath: String? = nil) {
        self.keys = keys
        self.masterKeyPath = masterKeyPath
    }
}

/// What the metadata remember of a master key that was made, so that a lost one is not taken for one that never was.
struct MasterKeyNotes: Sendable {
    private static let flag = "sse-s3-master-key-made"

    /// Whether several distributors share the metadata.
    let isShared: Bool
    let wasMade: @Sendable () async throws -> Bool
    let noteMade: @Sendable () async throws -> Void

    init(isShared: Bool, wasMade: @escaping @Sendable () async throws -> Bool, noteMade: @escaping @Sendable () async throws -> Void) {
        self.isShared = isShared
        self.wasMade = wasMade
        self.noteMade = noteMade
    }

    init(_ metadata: any MetadataStore) {
        self.init(
            isShared: !metadata.isExclusive, wasMade: { try await metadata.flag(named: Self.flag) },
            noteMade: { try await metadata.setFlag(named: Self.flag, to: true) })
    }
}

/// The keys that wrap data keys. Safe to use from any task.
final class KeyRing: Sendable {
    private static let masterName = "sse-s3"

    private let named: [String: WrappingKey]
    /// By their identifiers.
    private let masters: [String: WrappingKey]
    /// The master key of the key file.
    private let givenMaster: WrappingKey?
    /// Where one that is made is kept.
    private let file: MasterKeyFile?
    private let notes: MasterKeyNotes
    private let executor: any BlockingExecutor
    private let logger: Logger
    private let madeMaster = Mutex<WrappingKey?>(nil)
    private let turn = AsyncPermits(count: 1)

    init(_ keys: EncryptionKeys, notes: MasterKeyNotes, executor: any BlockingExecutor, logger: Logger) {
        let isMaster: (String) -> Bool = { $0 == Self.masterName || $0.hasPrefix("\(Self.masterName)-") }
        named = keys.keys.filter { !isMaster($0.key) }.mapValues { WrappingKey($0) }
        let masters = keys.keys.filter { isMaster($0.key) }.values.map { WrappingKey($0) }
        self.masters = Dictionary(masters.map { ($0.identifier, $0) }, uniquingKeysWith: { first, _ in first })
        givenMaster = keys.keys[Self.masterName].map { WrappingKey($0) }
        file = keys.masterKeyPath.map { MasterKeyFile(path: $0, name: Self.masterName) }
        self.notes = notes
        self.executor = executor
        self.logger = logger
    }

    /// The key of that name, for new objects.
    /// - Throws: ``EncryptionError/noSuchKey(_:)``.
    func named(_ name: String) throws(EncryptionError) -> WrappingKey {
        guard let key = named[name] else { throw .noSuchKey(name) }
        return key
    }

    /// The key of that name, which an object needs. That it is gone is for the log: clients are told that there is none.
    /// - Throws: ``EncryptionError/noSuchKey(_:)``.
    func keeper(named name: String) throws(EncryptionError) -> WrappingKey {
        if named[name] == nil { logger.error("a key of encryption at rest is missing", metadata: ["key": "\(name)"]) }
        return try named(name)
    }

    /// The master key for new objects. The first use of it makes it, unless the key file has one.
    /// - Throws: ``EncryptionError/masterKeyMissing(detail:)``, `MetadataError`.
    func currentMaster() async throws -> WrappingKey {
        if let givenMaster { return givenMaster }
        return try await made(orMake: true)
    }

    /// The master key that wrapped a data key.
    /// - Throws: ``EncryptionError/masterKeyMissing(detail:)``, `MetadataError`.
    func master(_ identifier: String) async throws -> WrappingKey {
        if let master = masters[identifier] { return master }
        if file == nil { throw EncryptionError.masterKeyMissing(detail: "the key file has none that is \(identifier)") }
        let made = try await made(orMake: false)
        guard made.identifier == identifier else {
            throw EncryptionError.masterKeyMissing(
                detail: "the object was encrypted under \(identifier), and this server has \(made.identifier)")
        }
        return made
    }

    private func made(orMake mayMake: Bool) async throws -> WrappingKey {
        if let known = madeMaster.withLock({ $0 }) { return known }
        guard let file else { throw EncryptionError.masterKeyMissing(detail: "the key file has no \(Self.masterName)") }
        return try await turn.withPermit {
            if let known = self.madeMaster.withLock({ $0 }) { return known }
            let key = try await self.load(file, mayMake: mayMake)
            self.madeMaster.withLock { $0 = key }
            return key
        }
    }

    private func load(_ file: MasterKeyFile, mayMake: Bool) async throws -> WrappingKey {
        let wasMade = try await notes.wasMade()
        if let bytes = try await executor.run({ try file.read() }) {
            if !wasMade { try await notes.noteMade() }
            return WrappingKey(bytes)
        }
        guard !wasMade else {
            throw EncryptionError.masterKeyMissing(
                detail: "\(file.path) is gone: put it back, or its key as \(Self.masterName) into the key file")
        }
        guard !notes.isShared else {
            throw EncryptionError.masterKeyMissing(
                detail: "several distributors share the metadata: put \(Self.masterName) into the key file of each")
        }
        guard mayMake else { throw EncryptionError.masterKeyMissing(detail: "\(file.path) was never made") }
        let bytes = randomBytes(WrappingKey.byteCount)
        try await executor.run { try file.make(bytes) }
        // After the file: a crash in between leaves a key that is found next time.
        try await notes.noteMade()
        let key = WrappingKey(bytes)
        logger.notice("a master key for SSE-S3 was made: back it up", metadata: ["file": "\(file.path)", "key": "\(key.identifier)"])
        return key
    }
}

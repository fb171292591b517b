public import Core
internal import ErasureCoding

/// What the servers that take clients' requests are told.
public struct GatewaySettings: Hashable, Sendable {
    /// Where the REST API listens.
    public let http: HostPort
    /// Where metrics and administration are; nil for where the REST API is.
    public let admin: HostPort?
    /// Where the S3 API listens.
    public let s3: HostPort
    /// Where storage nodes join (gRPC).
    public let cluster: HostPort
    /// Copies of every chunk, 1...16.
    public let replicas: Int
    /// Copies that must be durable before an upload is acknowledged, 1...``replicas``.
    public let writeQuorum: Int
    public let storageClass: StorageClassChoice
    /// Bytes of every chunk of a new file but the last: a multiple of 64 KiB from 64 KiB to 64 MiB.
    public let chunkSize: Int
    /// Seconds that a node may be away before its data are restored elsewhere.
    public let nodeGraceSeconds: Int
    /// Bytes a second that move to each node, because the layout changed or to repair; 0 for no limit.
    public let rebalanceBytesPerSecond: Int
    /// Time between two snapshots of the metadata that are kept on the storage nodes; nil for none.
    public let metadataSnapshotInterval: Duration?
    /// How many of them are kept.
    public let metadataSnapshots: Int
    /// The S3 root user; nil for none.
    public let rootKey: RootKey?
    /// Names under which `BUCKET.NAME` is a bucket: lower case, without ports.
    public let s3Domains: [String]
    public let s3Region: String
    /// The keys of encryption at rest, by name: 32 bytes each, in base64.
    public let encryptionKeys: [String: Secret]
    /// Seconds that the rules of a lifecycle count as a day.
    public let lifecycleDaySeconds: Int

    init(_ reader: SettingsReader) throws(SettingsError) {
        http = try reader.required(SettingsTable.http)
        admin = try reader.optional(SettingsTable.admin)
        s3 = try reader.required(SettingsTable.s3)
        cluster = try reader.required(SettingsTable.cluster)
        replicas = try reader.required(SettingsTable.replicas)
        writeQuorum = try Self.writeQuorum(reader, replicas: replicas)
        storageClass = try Self.storageClass(reader)
        chunkSize = try reader.required(SettingsTable.chunkSize)
        nodeGraceSeconds = try reader.required(SettingsTable.nodeGrace)
        rebalanceBytesPerSecond = try reader.required(SettingsTable.rebalanceRate)
        let interval = try reader.required(SettingsTable.metadataSnapshotInterval)
        metadataSnapshotInterval = interval > 0 ? .seconds(interval) : nil
        metadataSnapshots = try reader.required(SettingsTable.metadataSnapshots)
        rootKey = try RootKey(reader)
        s3Domains = try reader.optional(SettingsTable.s3Domain) ?? []
        s3Region = try reader.required(SettingsTable.s3Region)
        encryptionKeys =
            try reader.value(of: SettingsTable.kmsKeysFile).map { file throws(SettingsError) in
                try EncryptionKeyFile.read(file.value, from: file.origin)
            } ?? [:]
        lifecycleDaySeconds = try reader.required(SettingsTable.lifecycleDay)
    }

    private static func storageClass(_ reader: SettingsReader) throws(SettingsError) -> StorageClassChoice {
        guard let found = try reader.value(of: SettingsTable.storageClass) else { return .automatic }
        // Whoever asks for a number of copies, and for nothing else, gets copies.
        if found.origin == .defaultValue, let replicas = try reader.value(of: SettingsTable.replicas), replicas.origin != .defaultValue {
            return .fixed(.replicated)
        }
        return found.value
    }

    private static func writeQuorum(_ reader: SettingsReader, replicas: Int) throws(SettingsError) -> Int {
        let setting = SettingsTable.writeQuorum
        guard let found = try reader.value(of: setting) else { return replicas }
        // Whoever asks for one copy has not asked for a quorum of two.
        if found.origin == .defaultValue { return min(found.value, replicas) }
        guard found.value <= replicas else {
            throw SettingsError(
                setting.description, value: found.text, from: found.origin,
                accepted: "a whole number from 1 to replicas, which is \(replicas)")
        }
        return found.value
    }
}

/// The access key and the secret key of the S3 root user.
public struct RootKey: Hashable, Sendable {
    public let accessKey: String
    public let secretKey: Secret

    /// Both or none.
    init?(_ reader: SettingsReader) throws(SettingsError) {
        let accessKey = try reader.value(of: SettingsTable.rootAccessKey)
        let secretKey = try reader.value(of: SettingsTable.rootSecretKey)
        switch (accessKey, secretKey) {
        case (nil, nil): return nil
        case (let accessKey?, let secretKey?): (self.accessKey, self.secretKey) = (accessKey.value, secretKey.value)
        case (let accessKey?, nil):
            throw SettingsError(
                SettingsTable.rootAccessKey.description, value: accessKey.text, from: accessKey.origin, accepted: "both keys or none",
                because: "root-secret-key is missing")
        case (nil, let secretKey?):
            throw SettingsError(
                SettingsTable.rootSecretKey.description, value: secretKey.text, from: secretKey.origin, accepted: "both keys or none",
                because: "root-access-key is missing")
        }
    }
}

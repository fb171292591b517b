internal import Core
internal import ErasureCoding

/// Every setting of every server: its names, defaults, and what is accepted. The one place where they are declared.
public enum SettingsTable {
    /// All of them, in the order of help and documentation.
    public static let all: [SettingDescription] = [
        config.description, http.description, admin.description, s3.description, cluster.description, listen.description,
        advertise.description,
        join.description, storageNodes.description, dataDirectory.description, nodes.description, zone.description,
        replicas.description, writeQuorum.description, storageClass.description, chunkSize.description, nodeGrace.description,
        rebalanceRate.description, metadataSnapshotInterval.description, metadataSnapshots.description,
        scrubPeriod.description, durability.description, clusterSecret.description, adminToken.description,
        rootAccessKey.description, rootSecretKey.description, s3Domain.description, s3Region.description, kmsKeysFile.description,
        lifecycleDay.description, logLevel.description, logFormat.description, otlpEndpoint.description,
        traceSample.description, shutdownTimeout.description,
    ]

    /// Those of one executable.
    public static func settings(of executable: Executable) -> [SettingDescription] { all.filter { $0.defaults[executable] != nil } }

    static let replicaLimits = 1...16
    static let nodeLimits = 1...64
    /// Bytes.
    static let chunkSizeLimits = (64 << 10)...(64 << 20)
    /// Chunks are checksummed in blocks of this many bytes.
    static let chunkSizeStep = 64 << 10
    /// Seconds.
    static let nodeGraceLimits = 1...2_592_000
    /// Bytes a second.
    static let rebalanceRateLimits = 0...(1 << 40)
    /// Seconds.
    static let metadataSnapshotIntervalLimits = 0...2_592_000
    static let metadataSnapshotLimits = 1...100
    /// Seconds.
    static let scrubPeriodLimits = 0...315_360_000
    /// Seconds.
    static let shutdownTimeoutLimits = 0...3_600
    /// Seconds.
    static let lifecycleDayLimits = 1...86_400
    static let shortestSecret = 8

    static let config = Setting(
        "config", environment: "CHUNKFLOW_CONFIG", defaults: everywhere(nil), placeholder: "file",
        help: "YAML file with settings, by the names of these flags without the dashes. Flags and environment variables come before it.",
        accepted: "the path of a readable YAML file", isAllowedInFile: false, parse: nonEmpty)

    static let http = Setting(
        "http", environment: "CHUNKFLOW_HTTP",
        defaults: [.server: "127.0.0.1:8080", .distributor: "127.0.0.1:8080", .storage: "127.0.0.1:9101"], placeholder: "host:port",
        help: "Address of the REST API; of a storage node, of metrics and health checks. Port 0 takes any free port.",
        accepted: "host:port", parse: address)

    static let admin = Setting(
        "admin", environment: "CHUNKFLOW_ADMIN", defaults: inGateways(nil), placeholder: "host:port",
        help: "Address of metrics and administration. Without it they are at the address of the REST API. Port 0 takes any free port.",
        accepted: "host:port", parse: address)

    static let s3 = Setting(
        "s3", environment: "CHUNKFLOW_S3", defaults: inGateways("127.0.0.1:9000"), placeholder: "host:port",
        help: "Address of the S3 API. Port 0 takes any free port.", accepted: "host:port", parse: address)

    static let cluster = Setting(
        "cluster", environment: "CHUNKFLOW_CLUSTER", defaults: inGateways("127.0.0.1:7070"), placeholder: "host:port",
        help: """
            Address, gRPC, where storage nodes join a distributor. chunkflow server has its own nodes and takes no others: there it only answers \
            health checks. Port 0 takes any free port.
            """,
        accepted: "host:port", parse: address)

    static let listen = Setting(
        "listen", environment: "CHUNKFLOW_LISTEN", defaults: [.storage: "127.0.0.1:9001"], placeholder: "host:port",
        help: "Address, gRPC, of this node. Port 0 takes any free port.", accepted: "host:port", parse: address)

    static let advertise = Setting(
        "advertise", environment: "CHUNKFLOW_ADVERTISE", defaults: [.storage: nil], placeholder: "host:port",
        help: "Address under which others reach this node. Without it: the one listened on, or, for 0.0.0.0, the one the distributor sees.",
        accepted: "host:port, the port from 1 to 65535", parse: peer)

    static let join = Setting(
        "join", environment: "CHUNKFLOW_JOIN", defaults: [.storage: nil], placeholder: "host:port",
        help: "Cluster address of the distributor to join.", accepted: "host:port, the port from 1 to 65535", parse: peer)

    static let storageNodes = Setting(
        "storage-nodes", environment: "STORAGE_NODES", defaults: [.distributor: nil], placeholder: "host:port,...",
        help: "Addresses of the storage nodes, separated by commas (in the settings file also a list).",
        accepted: "host:port of each node, separated by commas, none of them twice", isList: true
    ) { text -> [HostPort]? in
        let addresses = text.split(separator: ",", omittingEmptySubsequences: false).map { peer(trimmed($0)) }
        return addresses.contains(nil) ? nil : addresses.compactMap { $0 }
    }

    static let dataDirectory = Setting(
        "data-dir", environment: "CHUNKFLOW_DATA_DIR", defaults: everywhere("./data"), placeholder: "directory",
        help: "Directory for all data of this process; made if it does not exist. One process at a time uses it.",
        accepted: "the path of a directory", parse: nonEmpty)

    static let nodes = Setting(
        "nodes", environment: "CHUNKFLOW_NODES", defaults: [.server: "4"], placeholder: "count",
        help: "Storage nodes in this process.", accepted: "a whole number from \(nodeLimits.lowerBound) to \(nodeLimits.upperBound)",
        parse: number(in: nodeLimits))

    static let zone = Setting(
        "zone", environment: "CHUNKFLOW_ZONE", defaults: [.storage: nil], placeholder: "name",
        help: "Failure domain of this node (a rack, a room): copies of a chunk go to different ones where possible.",
        accepted: "1 to 64 letters, digits, dots, dashes and underscores"
    ) { text in
        let isName = text.utf8.allSatisfy { byte in
            switch byte {
            case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, UInt8(ascii: "."), UInt8(ascii: "-"), UInt8(ascii: "_"): true
            default: false
            }
        }
        return isName && (1...64).contains(text.utf8.count) ? text : nil
    }

    static let replicas = Setting(
        "replicas", environment: "CHUNKFLOW_REPLICAS", defaults: [.server: "2", .distributor: "3"], placeholder: "count",
        help: "Copies of every chunk, each on a different node.",
        accepted: "a whole number from \(replicaLimits.lowerBound) to \(replicaLimits.upperBound)", parse: number(in: replicaLimits))

    static let writeQuorum = Setting(
        "write-quorum", environment: "CHUNKFLOW_WRITE_QUORUM", defaults: inGateways("2"), placeholder: "count",
        help: "Copies that must be durable before an upload is acknowledged. Without it, never more than replicas.",
        accepted: "a whole number from 1 to replicas", parse: number(in: replicaLimits))

    static let storageClass = Setting(
        "storage-class", environment: "CHUNKFLOW_STORAGE_CLASS", defaults: inGateways("auto"), placeholder: "class",
        help:
            "How files are stored that ask for nothing. auto: copies while there are few nodes or replicas is set; with 4 + 2 * (replicas - 1) "
            + "nodes or more an erasure code of 4 and replicas - 1 fragments, which survives the loss of as many nodes.",
        accepted: "auto, replicated, replicated-1 to replicated-16, or ec-K-M with K from 2 to 16 and M from 1 to 4"
    ) { text -> StorageClassChoice? in
        if text == "auto" { return .automatic }
        return StorageClass(text).map { .fixed($0) }
    }

    static let chunkSize = Setting(
        "chunk-size", environment: "CHUNKFLOW_CHUNK_SIZE", defaults: inGateways("8MiB"), placeholder: "bytes",
        help: "Size of the chunks that new files are cut into, in bytes or with KiB or MiB.",
        accepted: "a multiple of 64KiB from 64KiB to 64MiB"
    ) { text -> Int? in
        guard let byteCount = ByteSize(text)?.byteCount, chunkSizeLimits.contains(byteCount), byteCount % chunkSizeStep == 0 else {
            return nil
        }
        return byteCount
    }

    static let nodeGrace = Setting(
        "node-grace", environment: "CHUNKFLOW_NODE_GRACE", defaults: inGateways("600"), placeholder: "seconds",
        help: "How long a storage node may be away before its data are restored on the others, in seconds.",
        accepted: "a whole number of seconds from \(nodeGraceLimits.lowerBound) to \(nodeGraceLimits.upperBound)",
        parse: number(in: nodeGraceLimits))

    static let rebalanceRate = Setting(
        "rebalance-rate", environment: "CHUNKFLOW_REBALANCE_RATE", defaults: inGateways("1024MiB"), placeholder: "bytes",
        help:
            "What may move to each node in a second, after nodes were added or removed or to repair, a sixteenth while clients are served; 0 for no limit.",
        accepted: "bytes, or with KiB or MiB, 0 for no limit"
    ) { text -> Int? in
        guard let byteCount = text == "0" ? 0 : ByteSize(text)?.byteCount, rebalanceRateLimits.contains(byteCount) else { return nil }
        return byteCount
    }

    static let metadataSnapshotInterval = Setting(
        "metadata-snapshot-interval", environment: "CHUNKFLOW_METADATA_SNAPSHOT_INTERVAL", defaults: inGateways("3600"),
        placeholder: "seconds",
        help:
            "How often the metadata, when they have changed, are stored on the storage nodes too, from where they can be rebuilt, in seconds; 0 for never.",
        accepted:
            "a whole number of seconds from \(metadataSnapshotIntervalLimits.lowerBound) to \(metadataSnapshotIntervalLimits.upperBound)",
        parse: number(in: metadataSnapshotIntervalLimits))

    static let metadataSnapshots = Setting(
        "metadata-snapshots", environment: "CHUNKFLOW_METADATA_SNAPSHOTS", defaults: inGateways("3"), placeholder: "count",
        help: "Snapshots of the metadata that are kept on the storage nodes.",
        accepted: "a whole number from \(metadataSnapshotLimits.lowerBound) to \(metadataSnapshotLimits.upperBound)",
        parse: number(in: metadataSnapshotLimits))

    static let scrubPeriod = Setting(
        "scrub-period", environment: "CHUNKFLOW_SCRUB_PERIOD", defaults: [.server: "2592000", .storage: "2592000"], placeholder: "seconds",
        help:
            "How long a node may take to re-read and check all that it stores, in seconds; never above a tenth of the disk's time; 0 for never.",
        accepted: "a whole number of seconds from \(scrubPeriodLimits.lowerBound) to \(scrubPeriodLimits.upperBound)",
        parse: number(in: scrubPeriodLimits))

    static let durability = Setting(
        "durability", environment: "CHUNKFLOW_DURABILITY", defaults: everywhere("fsync"), placeholder: "mode",
        help: "When a write is acknowledged: fsync, on disk; none, handed to the operating system (lost if the machine crashes).",
        accepted: Durability.allCases.map(\.rawValue).joined(separator: ", "), parse: { Durability(rawValue: $0) })

    static let clusterSecret = Setting(
        "cluster-secret", environment: "CHUNKFLOW_CLUSTER_SECRET", defaults: everywhere(nil), placeholder: "secret",
        help: "Secret that servers show each other on every call. Prefer the environment or the file: other users can see flags.",
        accepted: "at least \(shortestSecret) characters", isSecret: true, parse: secret)

    static let adminToken = Setting(
        "admin-token", environment: "CHUNKFLOW_ADMIN_TOKEN", defaults: everywhere(nil), placeholder: "token",
        help:
            "What metrics and administration demand as Authorization: Bearer. Prefer the environment or the file: other users can see flags.",
        accepted: "at least \(shortestSecret) visible ASCII characters", isSecret: true
    ) { text in
        text.utf8.allSatisfy { (0x21...0x7E).contains($0) } ? secret(text) : nil
    }

    static let rootAccessKey = Setting(
        "root-access-key", environment: "CHUNKFLOW_ROOT_ACCESS_KEY", defaults: inGateways(nil), placeholder: "key",
        help: "Access key of the S3 root user; needs root-secret-key.", accepted: "3 to 128 letters, digits and -_.+=@"
    ) { text -> String? in
        let isKey = text.utf8.allSatisfy { byte in
            switch byte {
            case 0x30...0x39, 0x41...0x5A, 0x61...0x7A: true
            default: "-_.+=@".utf8.contains(byte)
            }
        }
        return isKey && (3...128).contains(text.utf8.count) ? text : nil
    }

    static let rootSecretKey = Setting(
        "root-secret-key", environment: "CHUNKFLOW_ROOT_SECRET_KEY", defaults: inGateways(nil), placeholder: "secret",
        help: "Secret key of the S3 root user; needs root-access-key. Prefer the environment or the file: other users can see flags.",
        accepted: "at least \(shortestSecret) characters", isSecret: true, parse: secret)

    static let s3Domain = Setting(
        "s3-domain", environment: "CHUNKFLOW_S3_DOMAIN", defaults: inGateways(nil), placeholder: "name,...",
        help: "Names of this server under which BUCKET.NAME is a bucket, separated by commas (in the settings file also a list).",
        accepted: "host names without ports, separated by commas", isList: true
    ) { text -> [String]? in
        let names = text.split(separator: ",", omittingEmptySubsequences: false).map { trimmed($0).lowercased() }
        return names.allSatisfy(isHostName) ? names : nil
    }

    static let s3Region = Setting(
        "s3-region", environment: "CHUNKFLOW_S3_REGION", defaults: inGateways("us-east-1"), placeholder: "name",
        help: "The region that the S3 API reports. Requests may name any.", accepted: "1 to 64 letters, digits and dashes"
    ) { text -> String? in
        let isRegion = text.utf8.allSatisfy { byte in
            switch byte {
            case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, UInt8(ascii: "-"): true
            default: false
            }
        }
        return isRegion && (1...64).contains(text.utf8.count) ? text : nil
    }

    static let kmsKeysFile = Setting(
        "kms-keys-file", environment: "CHUNKFLOW_KMS_KEYS_FILE", defaults: inGateways(nil), placeholder: "file",
        help: "YAML file with the keys of encryption at rest, each line NAME: 32 bytes in base64. Who loses it loses what they encrypt.",
        accepted: "the path of a readable YAML file", parse: nonEmpty)

    static let lifecycleDay = Setting(
        "lifecycle-day", environment: "CHUNKFLOW_LIFECYCLE_DAY", defaults: inGateways("86400"), placeholder: "seconds",
        help: "What the rules of a bucket's lifecycle count as a day, in seconds. For tests.",
        accepted: "a whole number of seconds from \(lifecycleDayLimits.lowerBound) to \(lifecycleDayLimits.upperBound)",
        parse: number(in: lifecycleDayLimits))

    static let logLevel = Setting(
        "log-level", environment: "CHUNKFLOW_LOG_LEVEL", defaults: everywhere("info"), placeholder: "level",
        help: "The least severe log lines that are written.", accepted: LogLevel.allCases.map(\.rawValue).joined(separator: ", "),
        parse: { LogLevel(rawValue: $0) })

    static let logFormat = Setting(
        "log-format", environment: "CHUNKFLOW_LOG_FORMAT", defaults: everywhere("auto"), placeholder: "format",
        help: "The form of log lines: json, one object a line; text, for people; auto, text if standard error is a terminal, else json.",
        accepted: LogFormat.allCases.map(\.rawValue).joined(separator: ", "), parse: { LogFormat(rawValue: $0) })

    static let otlpEndpoint = Setting(
        "otlp-endpoint", environment: "CHUNKFLOW_OTLP_ENDPOINT", shared: "OTEL_EXPORTER_OTLP_ENDPOINT", defaults: everywhere(nil),
        placeholder: "url",
        help:
            "Where traces are sent: an OpenTelemetry collector that takes OTLP over HTTP, for example http://localhost:4318. Without it: where OTEL_EXPORTER_OTLP_ENDPOINT says.",
        accepted: "a URL of http or https"
    ) { text -> String? in
        let rest = ["http://", "https://"].first { text.hasPrefix($0) }.map { text.dropFirst($0.count) }
        let isURL = rest.map { !$0.isEmpty && !$0.hasPrefix("/") && $0.utf8.allSatisfy { (0x21...0x7E).contains($0) } }
        return isURL == true ? text : nil
    }

    static let traceSample = Setting(
        "trace-sample", environment: "CHUNKFLOW_TRACE_SAMPLE", defaults: everywhere("1"), placeholder: "ratio",
        help: "What part of the requests is traced when there is a collector. Requests whose traceparent decides it are left out of this.",
        accepted: "a number from 0 to 1"
    ) { text in
        Double(text).flatMap { (0...1).contains($0) ? $0 : nil }
    }

    static let shutdownTimeout = Setting(
        "shutdown-timeout", environment: "CHUNKFLOW_SHUTDOWN_TIMEOUT", defaults: everywhere("30"), placeholder: "seconds",
        help: "How long requests in flight may take to finish after SIGTERM or SIGINT, in seconds.",
        accepted: "a whole number of seconds from \(shutdownTimeoutLimits.lowerBound) to \(shutdownTimeoutLimits.upperBound)",
        parse: number(in: shutdownTimeoutLimits))
}

extension SettingsTable {
    private static func isHostName(_ text: String) -> Bool {
        (1...253).contains(text.utf8.count) && !text.hasPrefix(".") && !text.hasSuffix(".")
            && text.utf8.allSatisfy { byte in
                switch byte {
                case 0x30...0x39, 0x61...0x7A, UInt8(ascii: "-"), UInt8(ascii: "."): true
                default: false
                }
            }
    }

    private static func everywhere(_ value: String?) -> [Executable: String?] { [.server: value, .distributor: value, .storage: value] }
    /// In those that take clients' requests.
    private static func inGateways(_ value: String?) -> [Executable: String?] { [.server: value, .distributor: value] }

    @Sendable private static func nonEmpty(_ text: String) -> String? { text.isEmpty ? nil : text }
    @Sendable private static func address(_ text: String) -> HostPort? { HostPort(text) }
    /// An address to connect to.
    @Sendable private static func peer(_ text: String) -> HostPort? { HostPort(text).flatMap { $0.port > 0 ? $0 : nil } }
    @Sendable private static func secret(_ text: String) -> Secret? { text.count >= shortestSecret ? Secret(text) : nil }

    private static func number(in limits: ClosedRange<Int>) -> @Sendable (String) -> Int? {
        { text in Int(text).flatMap { limits.contains($0) ? $0 : nil } }
    }

    private static func trimmed(_ text: Substring) -> String {
        String(text.trimmingPrefix(while: \.isWhitespace).reversed().trimmingPrefix(while: \.isWhitespace).reversed())
    }
}

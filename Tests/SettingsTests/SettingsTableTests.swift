import ArgumentParser
import Foundation
import Settings
import Testing

/// One command a server, for its help.
private struct DistributorCommand: ParsableCommand {
    @OptionGroup var flags: DistributorFlags
}

private struct ServerCommand: ParsableCommand {
    @OptionGroup var flags: ServerFlags
}

private struct StorageCommand: ParsableCommand {
    @OptionGroup var flags: StorageFlags
}

private func help(of executable: Executable) -> String {
    let text =
        switch executable {
        case .server: ServerCommand.helpMessage(columns: 10_000)
        case .distributor: DistributorCommand.helpMessage(columns: 10_000)
        case .storage: StorageCommand.helpMessage(columns: 10_000)
        }
    return text
}

@Suite("The table of settings")
struct SettingsTableTests {
    /// The names and defaults that users and scripts rely on.
    private static let promised: [(executable: Executable, name: String, variable: String, value: String?)] =
        [Executable.server, .distributor].flatMap { executable -> [(Executable, String, String, String?)] in
            [
                (executable, "http", "CHUNKFLOW_HTTP", "127.0.0.1:8080"),
                (executable, "admin", "CHUNKFLOW_ADMIN", nil),
                (executable, "s3", "CHUNKFLOW_S3", "127.0.0.1:9000"),
                (executable, "cluster", "CHUNKFLOW_CLUSTER", "127.0.0.1:7070"),
                (executable, "replicas", "CHUNKFLOW_REPLICAS", executable == .server ? "2" : "3"),
                (executable, "write-quorum", "CHUNKFLOW_WRITE_QUORUM", "2"),
                (executable, "storage-class", "CHUNKFLOW_STORAGE_CLASS", "auto"),
                (executable, "chunk-size", "CHUNKFLOW_CHUNK_SIZE", "8MiB"),
                (executable, "node-grace", "CHUNKFLOW_NODE_GRACE", "600"),
                (executable, "rebalance-rate", "CHUNKFLOW_REBALANCE_RATE", "1024MiB"),
                (executable, "metadata-snapshot-interval", "CHUNKFLOW_METADATA_SNAPSHOT_INTERVAL", "3600"),
                (executable, "metadata-snapshots", "CHUNKFLOW_METADATA_SNAPSHOTS", "3"),
                (executable, "root-access-key", "CHUNKFLOW_ROOT_ACCESS_KEY", nil),
                (executable, "root-secret-key", "CHUNKFLOW_ROOT_SECRET_KEY", nil),
                (executable, "s3-domain", "CHUNKFLOW_S3_DOMAIN", nil),
                (executable, "s3-region", "CHUNKFLOW_S3_REGION", "us-east-1"),
                (executable, "kms-keys-file", "CHUNKFLOW_KMS_KEYS_FILE", nil),
                (executable, "lifecycle-day", "CHUNKFLOW_LIFECYCLE_DAY", "86400"),
            ]
        }
        + [
            (.server, "nodes", "CHUNKFLOW_NODES", "4"),
            (.server, "scrub-period", "CHUNKFLOW_SCRUB_PERIOD", "2592000"),
            (.distributor, "storage-nodes", "STORAGE_NODES", nil),
            (.storage, "http", "CHUNKFLOW_HTTP", "127.0.0.1:9101"),
            (.storage, "listen", "CHUNKFLOW_LISTEN", "127.0.0.1:9001"),
            (.storage, "advertise", "CHUNKFLOW_ADVERTISE", nil),
            (.storage, "join", "CHUNKFLOW_JOIN", nil),
            (.storage, "zone", "CHUNKFLOW_ZONE", nil),
            (.storage, "scrub-period", "CHUNKFLOW_SCRUB_PERIOD", "2592000"),
        ]
        + Executable.allCases.flatMap { executable -> [(Executable, String, String, String?)] in
            [
                (executable, "config", "CHUNKFLOW_CONFIG", nil),
                (executable, "data-dir", "CHUNKFLOW_DATA_DIR", "./data"),
                (executable, "durability", "CHUNKFLOW_DURABILITY", "fsync"),
                (executable, "cluster-secret", "CHUNKFLOW_CLUSTER_SECRET", nil),
                (executable, "admin-token", "CHUNKFLOW_ADMIN_TOKEN", nil),
                (executable, "log-format", "CHUNKFLOW_LOG_FORMAT", "auto"),
                (executable, "otlp-endpoint", "CHUNKFLOW_OTLP_ENDPOINT", nil),
                (executable, "trace-sample", "CHUNKFLOW_TRACE_SAMPLE", "1"),
                (executable, "log-level", "CHUNKFLOW_LOG_LEVEL", "info"),
                (executable, "shutdown-timeout", "CHUNKFLOW_SHUTDOWN_TIMEOUT", "30"),
            ]
        }

    @Test("names, variables and defaults are the promised ones, no more and no fewer")
    func namesAndDefaults() throws {
        for entry in Self.promised {
            let setting = try #require(SettingsTable.settings(of: entry.executable).first { $0.name == entry.name }, "\(entry)")
            #expect(setting.environmentVariable == entry.variable)
            #expect(setting.defaults[entry.executable] == .some(entry.value), "\(entry)")
        }
        for executable in Executable.allCases {
            let names = Set(SettingsTable.settings(of: executable).map(\.name))
            #expect(names == Set(Self.promised.filter { $0.executable == executable }.map(\.name)))
        }
    }

    @Test("--help explains every setting with its flag, variable and default", arguments: Executable.allCases)
    func helpIsComplete(executable: Executable) throws {
        let lines = help(of: executable).split(separator: "\n").map(String.init)
        for setting in SettingsTable.settings(of: executable) {
            let start = try #require(lines.firstIndex { $0.hasPrefix("  --\(setting.name) <") }, "--\(setting.name) is not in --help")
            // Long flags have their explanation on the line below.
            let text = lines[start...].prefix(2).joined()
            let value = setting.defaults[executable] ?? nil
            #expect(text.contains("(default: \(value ?? "none"); environment: \(setting.environmentVariable))"), "\(text)")
            #expect(text.contains(setting.help))
        }
    }

    @Test("the documentation of the settings is the table's")
    func documentation() throws {
        let tests = URL(fileURLWithPath: #filePath).resolvingSymlinksInPath().deletingLastPathComponent()
        let page = tests.appending(path: "../../docs/settings.md").standardized
        let lines = try String(contentsOf: page, encoding: .utf8).components(separatedBy: "\n")
        let isRow = { (line: String) in line.hasPrefix("| `--") }
        let rows = lines.filter(isRow)
        if ProcessInfo.processInfo.environment["CHUNKFLOW_WRITE_DOCS"] != nil {
            let first = try #require(lines.firstIndex(where: isRow))
            let written = lines[..<first].filter { !isRow($0) } + SettingsTable.markdownRows + lines[first...].filter { !isRow($0) }
            try written.joined(separator: "\n").write(to: page, atomically: true, encoding: .utf8)
            return
        }
        for row in SettingsTable.markdownRows where !rows.contains(row) {
            Issue.record("docs/settings.md lacks this line (make docs writes it): \(row)")
        }
        for row in rows where !SettingsTable.markdownRows.contains(row) {
            Issue.record("docs/settings.md has this line, and there is no such setting (make docs removes it): \(row)")
        }
        #expect(rows == SettingsTable.markdownRows || Set(rows) != Set(SettingsTable.markdownRows), "in another order, or twice: make docs")
    }
}

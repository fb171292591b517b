internal import ChunkTransport
internal import Core
internal import Foundation
internal import Logging
internal import Metadata
internal import ObjectStore
public import Settings

/// What `chunkflow metadata rebuild` is told.
public struct RebuildRequest: Sendable {
    /// `host:port` of all storage nodes; nil for those of a stopped `chunkflow server`, which are in its data directory.
    public var storageNodes: String?
    /// Of the distributor, or of `chunkflow server`.
    public var dataDirectory: String
    public var clusterSecret: Secret?
    /// Whether there may be metadata already; they are renamed then.
    public var isReplacing = false
    /// Whether not all storage nodes are named.
    public var isPartial = false
    /// Whether what may have been deleted becomes visible where it was.
    public var restoresDoubtful = false
    /// Whether the snapshots that the nodes keep are used.
    public var usesSnapshots = true

    public init(dataDirectory: String) { self.dataDirectory = dataDirectory }
}

/// Rebuilds metadata from storage nodes, and puts them in place.
public enum MetadataRebuilding {
    private static let threads = 4

    /// - Returns: lines that say what was done.
    /// - Throws: ``StartError``, which says why nothing was changed.
    public static func run(_ request: RebuildRequest) async throws -> [String] {
        do {
            return try await rebuild(request)
        } catch let error as MetadataError {
            throw StartError(MetadataFiles.description(error))
        } catch let error as RebuildError {
            throw StartError(error.description)
        }
    }

    private static func rebuild(_ request: RebuildRequest) async throws -> [String] {
        let database = MetadataFiles.database(inDataDirectory: request.dataDirectory)
        let directory = MetadataFiles.directory(inDataDirectory: request.dataDirectory)
        let work = "\(directory)/rebuild"
        try makeEmpty(work)
        defer { try? FileManager.default.removeItem(atPath: work) }
        // Before minutes of work, not after them.
        try MetadataRestore.checkPlace(database, replacing: request.isReplacing)
        let logger = ServerProcess.logger("chunkflow", level: .warning)
        var options = MetadataRebuild.Options()
        options.isPartial = request.isPartial
        options.restoresDoubtful = request.restoresDoubtful
        options.usesSnapshots = request.usesSnapshots
        let (backup, report) = try await withNodes(request, logger) { [options] seeds in
            try await MetadataRebuild(
                seeds: seeds, options: options, directory: work, time: SystemTime(), random: SystemRandom(),
                executor: ThreadPoolExecutor(threadCount: threads), logger: logger
            ).run()
        }
        let now = SystemTime().now()
        let outcome = try MetadataRestore.run(backup: backup, database: database, replacing: request.isReplacing, at: now)
        return try lines(report, outcome, database: database, reportPath: write(report, to: directory, at: now))
    }

    private static func makeEmpty(_ directory: String) throws {
        do {
            if FileManager.default.fileExists(atPath: directory) { try FileManager.default.removeItem(atPath: directory) }
            try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        } catch {
            throw StartError("\(directory) cannot be made: \(error.localizedDescription)")
        }
    }

    // MARK: Nodes

    private static func withNodes<Value: Sendable>(
        _ request: RebuildRequest, _ logger: Logger, _ body: @escaping @Sendable ([ClusterBootstrap.Seed]) async throws -> Value
    ) async throws -> Value {
        guard let addresses = request.storageNodes else { return try await withLocalNodes(request, logger, body) }
        let connections = GRPCPeerDialer(secret: request.clusterSecret?.revealed, time: SystemTime(), logger: logger)
        let seeds = try addresses.split(separator: ",").map { text in
            let address = text.filter { !$0.isWhitespace }
            guard let parsed = HostPort(address), parsed.port > 0 else {
                throw StartError("storage-nodes: \"\(address)\" is not accepted; accepted: host:port of each node, separated by commas")
            }
            return ClusterBootstrap.Seed(address: address, transport: try connections.transport(toAddress: address))
        }
        return try await withThrowingTaskGroup(of: Value?.self) { group in
            group.addTask {
                await connections.run()
                return nil
            }
            group.addTask { try await body(seeds) }
            defer {
                connections.shutDown()
                group.cancelAll()
            }
            while let outcome = try await group.next() { if let outcome { return outcome } }
            throw CancellationError()
        }
    }

    /// The nodes of a `chunkflow server` that does not run.
    private static func withLocalNodes<Value: Sendable>(
        _ request: RebuildRequest, _ logger: Logger, _ body: ([ClusterBootstrap.Seed]) async throws -> Value
    ) async throws -> Value {
        let parent = "\(request.dataDirectory)/nodes"
        let names = ((try? FileManager.default.contentsOfDirectory(atPath: parent)) ?? []).compactMap(Int.init).sorted()
        guard !names.isEmpty else {
            throw StartError("\(parent) has no storage nodes: name those of the cluster with --storage-nodes")
        }
        let book = LocalPeers()
        var nodes: [StorageNode] = []
        do {
            for name in names {
                let node = try await StorageNode.open(
                    directory: "\(parent)/\(name)", zone: "", scrubPeriod: nil, durability: .fsync, peers: book, logger: logger)
                nodes.append(node)
                book.add(node.transport)
            }
            // The address of a node of the same process is its name.
            let value = try await body(nodes.map { ClusterBootstrap.Seed(address: $0.transport.id.description, transport: $0.transport) })
            for node in nodes { await node.close() }
            return value
        } catch {
            for node in nodes { await node.close() }
            throw error
        }
    }

    // MARK: What is told

    private static func lines(
        _ report: RebuildReport, _ outcome: MetadataRestore.Outcome, database: String, reportPath: String?
    ) throws -> [String] {
        let snapshot = report.snapshot.map { "\(internetText($0.createdAt)), \($0.objectCount) objects" } ?? "none"
        var lines = [
            "rebuilt    \(database)",
            "cluster    \(report.cluster)",
            "nodes      \(report.nodeCount), \(report.fragmentCount) fragments",
            "snapshot   \(snapshot)",
            "objects    \(outcome.totals.objectCount), \(outcome.totals.byteCount) bytes",
        ]
        for finding in RebuildReport.Finding.allCases where report[finding] > 0 {
            let name = finding.rawValue + String(repeating: " ", count: max(1, 11 - finding.rawValue.count))
            lines.append("\(name)\(report[finding])  \(finding.meaning)")
        }
        if let reportPath { lines.append("report     \(reportPath)") }
        if let replaced = outcome.replaced { lines.append("kept       \(replaced)") }
        return lines
    }

    private struct Line: Encodable {
        let finding: String
        let bucket: String?
        let key: String?
        let blob: String?
        let detail: String
    }

    /// - Returns: where it is; nil when there is nothing to tell.
    private static func write(_ report: RebuildReport, to directory: String, at time: Timestamp) throws -> String? {
        guard !report.entries.isEmpty else { return nil }
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        let path = "\(directory)/rebuild-\(internetText(time).filter { $0 != ":" && $0 != "-" }).jsonl"
        var content = Data()
        for entry in report.entries {
            content += try encoder.encode(
                Line(
                    finding: entry.finding.rawValue, bucket: entry.bucket, key: entry.key, blob: entry.blob?.description,
                    detail: entry.detail))
            content += Data("\n".utf8)
        }
        try content.write(to: URL(fileURLWithPath: path))
        return path
    }

    private static func internetText(_ time: Timestamp) -> String {
        Date(timeIntervalSince1970: Double(time.millisecondsSince1970 / 1_000)).formatted(.iso8601)
    }
}

extension RebuildReport.Finding {
    /// In words for the person who rebuilds.
    fileprivate var meaning: String {
        switch self {
        case .known: "as the snapshot has them"
        case .recovered: "told from their fragments"
        case .doubtful: "perhaps deleted: in the bucket \(MetadataRebuild.doubtfulBucketName)"
        case .weak: "as the snapshot has them, with fewer fragments than they should have"
        case .damaged: "as the snapshot has them, not wholly readable"
        case .gone: "in the snapshot, on no node: deleted since, or lost"
        case .missing: "in the snapshot, on no node that was asked"
        case .deleted: "not brought back: the snapshot is younger and does not know them"
        case .unfinished: "uploads that did not come to their end"
        case .incomplete: "uploads of which something is not to be had"
        case .superseded: "replaced by a younger version"
        case .part: "parts of what only the metadata knew"
        case .unreadable: "of which cannot be told what they are"
        }
    }
}

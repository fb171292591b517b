public import ArgumentParser
internal import Core

/// `chunkflow status` and `chunkflow cluster status`
public struct StatusCommand: ClientCommand {
    public static let configuration = CommandConfiguration(
        commandName: "status", abstract: "Show the cluster: its nodes, their state and how full they are.",
        discussion: """
            With --json what the server says, as one JSON document.

            \(ExitStatus.explanation)
            """)

    @OptionGroup var connection: ConnectionOptions

    public init() {}

    public func run() async throws { try await execute(console: .standard).exit() }

    package func execute(console: Console) async throws -> ExitStatus {
        try await connection.connected(console) { server in
            let cluster = try await connection.asking(console) { try await server.cluster() }
            if connection.json {
                console.print(cluster.text)
            } else {
                for line in Self.lines(cluster.description) { console.print(line) }
            }
            return .success
        }
    }

    /// A table of the nodes below what is true of all of them.
    package static func lines(_ cluster: ClusterDescription) -> [String] {
        let layout = cluster.layout
        var lines = ["cluster    \((cluster.clusterID ?? "-").printable)"]
        let copies = layout.replicas.map { ", \($0) copies, write quorum \(layout.writeQuorum.map { "\($0)" } ?? "-")" } ?? ""
        lines.append("layout     \(layout.version)\(copies)\(layout.partitionCount.map { ", \($0) partitions" } ?? "")")
        if let objects = cluster.objects { lines.append("objects    \(objects.count), \(formatBytes(objects.bytes))") }
        if let waiting = cluster.repairQueueLength { lines.append("to repair  \(waiting)") }
        if let rebalance = cluster.rebalance { lines.append(line(rebalance)) }
        lines += (cluster.reencodings ?? []).map(\.line)
        if cluster.backgroundPaused == true { lines.append("background work is paused") }
        for node in cluster.nodes {
            for disk in node.disks ?? [] where disk.state == ClusterDescription.Disk.failing { lines.append(line(disk, of: node)) }
        }
        lines.append("")
        let header = ["NODE", "ADDRESS", "ZONE", "WEIGHT", "STATE", "USED", "CAPACITY", "FILL", "FRAGMENTS", "QUARANTINED"]
        return lines + textTable([header] + cluster.nodes.map(row))
    }

    private static func row(_ node: ClusterDescription.Node) -> [String] {
        let fill = node.capacityBytes > 0 ? "\(Int((Double(node.usedBytes) / Double(node.capacityBytes) * 100).rounded()))%" : "-"
        return [
            cell(node.id), cell(node.address), cell(node.zone), cell(weight: node.weight), cell(node.state),
            formatBytes(node.usedBytes), formatBytes(node.capacityBytes), fill, node.fragmentCount.map { "\($0)" } ?? "-",
            node.quarantinedCount.map { "\($0)" } ?? "-",
        ]
    }

    private static func line(_ disk: ClusterDescription.Disk, of node: ClusterDescription.Node) -> String {
        "failing    disk \(disk.path.printable) of node \(cell(node.id)): \(disk.readErrors) read errors, \(disk.writeErrors) write errors"
    }

    /// The rate and the time left only where something has moved in the last minute.
    private static func line(_ rebalance: ClusterDescription.Rebalance) -> String {
        var line = "moving to layout \(rebalance.toVersion): \(formatBytes(rebalance.bytesLeft)) left"
        if rebalance.bytesPerSecond > 0 { line += ", \(formatBytes(rebalance.bytesPerSecond))/s" }
        if let seconds = rebalance.secondsLeft { line += ", about \(formatDuration(.seconds(seconds))) left" }
        return line
    }
}

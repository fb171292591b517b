public import ArgumentParser
internal import Core

/// `chunkflow status`
public struct StatusCommand: AsyncParsableCommand {
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
            var retries = connection.retryPolicy
            while true {
                do {
                    let cluster = try await server.cluster()
                    if connection.json {
                        console.print(cluster.text)
                    } else {
                        for line in Self.lines(cluster.description) { console.print(line) }
                    }
                    return .success
                } catch let error as ClientError {
                    try await retries.wait(after: error) { console.note("chunkflow: \($0)") }
                }
            }
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
        lines.append("")
        let header = ["NODE", "ADDRESS", "ZONE", "STATE", "USED", "CAPACITY", "FILL", "FRAGMENTS", "QUARANTINED"]
        return lines + table([header] + cluster.nodes.map(row))
    }

    private static func row(_ node: ClusterDescription.Node) -> [String] {
        let fill = node.capacityBytes > 0 ? "\(Int((Double(node.usedBytes) / Double(node.capacityBytes) * 100).rounded()))%" : "-"
        func text(_ text: String?) -> String { text.flatMap { $0.isEmpty ? nil : $0.printable } ?? "-" }
        return [
            text(node.id), text(node.address), text(node.zone), text(node.state), formatBytes(node.usedBytes),
            formatBytes(node.capacityBytes), fill, node.fragmentCount.map { "\($0)" } ?? "-",
            node.quarantinedCount.map { "\($0)" } ?? "-",
        ]
    }

    private static func table(_ rows: [[String]]) -> [String] {
        guard let columns = rows.first?.indices else { return [] }
        let widths = columns.map { column in rows.map { $0[column].count }.max() ?? 0 }
        return rows.map { row in
            let cells = zip(row, widths).map { $0.padded(to: $1) }.joined(separator: "  ")
            return String(cells.reversed().drop { $0 == " " }.reversed())
        }
    }
}

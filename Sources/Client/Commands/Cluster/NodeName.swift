/// How people name a node.
struct NodeName {
    static let shortestPrefix = 4

    private let text: String

    init(_ text: String) { self.text = text }

    /// - Returns: the id of the only node that is meant: the one with this id, else the one that has this address or whose id begins so.
    /// - Throws: ``ClientError/wrongNode(detail:)``, which names the nodes that could be meant.
    func id(among nodes: [ClusterDescription.Node]) throws -> String {
        if nodes.contains(where: { $0.id == text }) { return text }
        let matches = nodes.filter { $0.address == text || (text.count >= Self.shortestPrefix && $0.id.hasPrefix(text)) }
        guard let match = matches.first else {
            let candidates = nodes.isEmpty ? "it has no nodes" : "it has \(Self.list(nodes))"
            throw ClientError.wrongNode(detail: "the cluster has no node \(text.printable.debugDescription): \(candidates)")
        }
        guard matches.count == 1 else {
            throw ClientError.wrongNode(detail: "\(text.printable.debugDescription) can mean \(Self.list(matches))")
        }
        return match.id
    }

    private static func list(_ nodes: [ClusterDescription.Node]) -> String {
        nodes.map { "\(cell($0.id)) (\(cell($0.address)), \(cell($0.state)))" }.joined(separator: ", ")
    }
}

public import Core
internal import GRDB

extension SQLiteMetadataStore {
    public func enqueueRepairs(_ repairs: [RepairRecord]) async throws {
        if repairs.isEmpty { return }
        try await write { try $0.enqueue(repairs) }
    }

    public func dueRepairs(at time: Timestamp, nodes: [NodeID], limit: Int) async throws -> [RepairRecord] {
        guard limit > 0 else { return [] }
        return try await readConsistently { database in
            // One node after the other: what waits for a node that is away may be millions of rows, and is never looked at.
            let statement = try database.cachedStatement(sql: SQL.dueRepairs)
            let due = try Set(nodes).flatMap { node in
                try Row.fetchAll(statement, arguments: [node.data, time.millisecondsSince1970, limit]).map { try $0.repair(of: node) }
            }
            let sorted = due.sorted { ($0.dueAt, $0.fragment, $0.node) < ($1.dueAt, $1.fragment, $1.node) }
            return Array(sorted.prefix(limit))
        }
    }

    public func finishRepairs(_ repairs: [RepairRecord]) async throws {
        if repairs.isEmpty { return }
        try await write { transaction in
            for repair in repairs { transaction.counters.repairs -= Int64(try transaction.run(SQL.deleteRepair, repair.key)) }
        }
    }

    public func dropRepairs(on node: NodeID) async throws {
        try await write { transaction in
            transaction.counters.repairs -= Int64(try transaction.run(SQL.deleteRepairsOfNode, [node.data]))
        }
    }

    public func postponeRepairs(_ repairs: [RepairRecord], until time: Timestamp) async throws {
        if repairs.isEmpty { return }
        try await write { transaction in
            for repair in repairs { try transaction.run(SQL.postponeRepair, [time.millisecondsSince1970] + repair.key) }
        }
    }
}

extension WriteTransaction {
    mutating func enqueue(_ repairs: [RepairRecord]) throws {
        for repair in repairs {
            let values: StatementArguments = [
                repair.layoutVersion, repair.reason.rawValue, repair.attempts, repair.dueAt.millisecondsSince1970,
            ]
            counters.repairs += Int64(try run(SQL.insertRepair, values + repair.key))
        }
    }
}

extension RepairRecord {
    fileprivate var key: StatementArguments {
        [fragment.chunk.blob.data, Int64(fragment.chunk.index), Int64(fragment.number), node.data]
    }
}

extension Row {
    fileprivate func repair(of node: NodeID) throws -> RepairRecord {
        guard let reason = RepairRecord.Reason(rawValue: try text(4)) else {
            throw MetadataError.damaged(detail: "a repair has an unknown reason")
        }
        let chunk = ChunkID(blob: try identifier(0), index: try integer(1))
        return RepairRecord(
            fragment: FragmentID(chunk: chunk, number: try integer(2)), node: node, layoutVersion: try integer(3), reason: reason,
            attempts: try integer(5), dueAt: try timestamp(6))
    }
}

public import Core
internal import GRDB

extension SQLiteMetadataStore {
    public func enqueueRepairs(_ repairs: [RepairRecord]) async throws {
        if repairs.isEmpty { return }
        try await write(isChange: { _ in false }) { try $0.enqueue(repairs) }
    }

    public func dueRepairs(at time: Timestamp, nodes: [NodeID], limit: Int) async throws -> [RepairRecord] {
        guard limit > 0 else { return [] }
        return try await readConsistently { database in
            // One node after the other: what waits for a node that is away may be millions of rows, and is never looked at.
            let due = try Set(nodes).flatMap { try database.dueRepairs(on: $0, at: time, limit: limit) }
            let sorted = due.sorted { one, other in
                guard one.margin == other.margin else { return one.margin < other.margin }
                let (left, right) = (one.repair, other.repair)
                return (left.dueAt, left.fragment, left.node) < (right.dueAt, right.fragment, right.node)
            }
            return sorted.prefix(limit).map(\.repair)
        }
    }

    public func finishRepairs(_ repairs: [RepairRecord]) async throws {
        if repairs.isEmpty { return }
        try await write(isChange: { _ in false }) { transaction in
            for repair in repairs where try transaction.run(SQL.deleteRepair, repair.key) > 0 {
                transaction.counters.repairs -= 1
                try transaction.countMargin(of: repair.fragment.chunk)
            }
        }
    }

    public func repairBacklog() async throws -> RepairBacklog {
        try await readConsistently { database in
            var byReason: [RepairRecord.Reason: Int] = [:]
            for row in try Row.fetchAll(database.cachedStatement(sql: SQL.repairsByReason)) {
                guard let reason = RepairRecord.Reason(rawValue: try row.text(0)) else { continue }
                byReason[reason] = try row.integer(1)
            }
            let chunks = try Row.fetchOne(database.cachedStatement(sql: SQL.chunksInRepair))
            return RepairBacklog(byReason: byReason, chunkCount: try chunks?.integer(0) ?? 0)
        }
    }

    public func dropRepairs(on node: NodeID) async throws {
        try await write(isChange: { _ in false }) { transaction in
            try transaction.run(SQL.countMarginWithout, [node.data])
            transaction.counters.repairs -= Int64(try transaction.run(SQL.deleteRepairsOfNode, [node.data]))
        }
    }

    public func postponeRepairs(_ repairs: [RepairRecord], until time: Timestamp) async throws {
        if repairs.isEmpty { return }
        try await write(isChange: { _ in false }) { transaction in
            for repair in repairs { try transaction.run(SQL.postponeRepair, [time.millisecondsSince1970] + repair.key) }
        }
    }
}

extension WriteTransaction {
    mutating func enqueue(_ repairs: [RepairRecord]) throws {
        for repair in repairs {
            let values: StatementArguments = [
                repair.layoutVersion, repair.reason.rawValue, repair.tolerance, repair.attempts, repair.dueAt.millisecondsSince1970,
            ]
            guard try run(SQL.insertRepair, values + repair.key) > 0 else { continue }
            counters.repairs += 1
            try countMargin(of: repair.fragment.chunk)
        }
    }

    fileprivate func countMargin(of chunk: ChunkID) throws { try run(SQL.countMargin, [chunk.blob.data, Int64(chunk.index)]) }
}

extension Database {
    /// Those that are due, of chunks that can lose least first.
    fileprivate func dueRepairs(on node: NodeID, at time: Timestamp, limit: Int) throws -> [(margin: Int, repair: RepairRecord)] {
        let levels = try cachedStatement(sql: SQL.nextMargin)
        let statement = try cachedStatement(sql: SQL.dueRepairs)
        var due: [(Int, RepairRecord)] = []
        var level = Int64.min
        while due.count < limit, let row = try Row.fetchOne(levels, arguments: [node.data, level]), !row.isNull(0) {
            level = try row.integer(0)
            let rows = try Row.fetchAll(statement, arguments: [node.data, level, time.millisecondsSince1970, limit - due.count])
            due += try rows.map { (Int(level), try $0.repair(of: node)) }
        }
        return due
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
            tolerance: try integer(5), attempts: try integer(6), dueAt: try timestamp(7))
    }
}

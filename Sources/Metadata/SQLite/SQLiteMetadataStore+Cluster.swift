public import Core
internal import Foundation
internal import GRDB

extension SQLiteMetadataStore {
    static let clusterSetting = "cluster"

    public func clusterID(orElse fresh: ClusterID) async throws -> ClusterID {
        try await write { transaction in
            if let row = try transaction.row(SQL.setting, [Self.clusterSetting]) { return try row.identifier(0) }
            try transaction.run(SQL.insertSetting, [Self.clusterSetting, fresh.data])
            return fresh
        }
    }

    public func saveNode(_ node: NodeRecord) async throws {
        try await write { try $0.save(node) }
    }

    public func nodes() async throws -> [NodeRecord] {
        try await read { database in
            try Row.fetchAll(database.cachedStatement(sql: SQL.nodes)).map { row in
                guard let membership = NodeRecord.Membership(rawValue: try row.text(5)) else {
                    throw MetadataError.damaged(detail: "a node has an unknown membership")
                }
                return NodeRecord(
                    id: try row.identifier(0), address: try row.text(1), zone: try row.text(2), addedAt: try row.timestamp(3),
                    weight: try row.real(4), membership: membership)
            }
        }
    }

    public func saveLayout(version: Int, encoded: [UInt8], nodes: [NodeRecord], at time: Timestamp) async throws {
        try await write { transaction in
            guard try transaction.row(SQL.layout, [version]) == nil else {
                throw MetadataError.conflict(detail: "layout \(version) exists already")
            }
            try transaction.run(SQL.insertLayout, [version, Data(encoded), time.millisecondsSince1970])
            for node in nodes { try transaction.save(node) }
        }
    }

    public func layouts() async throws -> [(version: Int, encoded: [UInt8])] {
        try await read { database in
            try Row.fetchAll(database.cachedStatement(sql: SQL.layouts)).map { row in
                (version: try row.integer(0), encoded: Array(try row.bytes(1)))
            }
        }
    }

    public func flag(named name: String) async throws -> Bool {
        try await read { database in
            let row = try Row.fetchOne(database.cachedStatement(sql: SQL.setting), arguments: ["flag/\(name)"])
            return try row?.bytes(0) == Data([1])
        }
    }

    public func setFlag(named name: String, to value: Bool) async throws {
        try await write { transaction in _ = try transaction.run(SQL.saveSetting, ["flag/\(name)", Data([value ? 1 : 0])]) }
    }

    public func moment(named name: String) async throws -> Timestamp? {
        try await read { database in
            guard let row = try Row.fetchOne(database.cachedStatement(sql: SQL.setting), arguments: ["moment/\(name)"]) else { return nil }
            let bytes = try row.bytes(0)
            guard bytes.count == 8 else { throw MetadataError.damaged(detail: "the moment \(name) is not 8 bytes") }
            return Timestamp(millisecondsSince1970: bytes.reduce(0) { $0 << 8 | Int64($1) })
        }
    }

    public func setMoment(named name: String, to time: Timestamp) async throws {
        let bytes = withUnsafeBytes(of: time.millisecondsSince1970.bigEndian) { Data($0) }
        try await write { transaction in _ = try transaction.run(SQL.saveSetting, ["moment/\(name)", bytes]) }
    }

    public func totals() async throws -> MetadataTotals {
        let counters = try await counters()
        return MetadataTotals(objectCount: counters["objects"] ?? 0, byteCount: counters["bytes"] ?? 0)
    }

    public func repairCount() async throws -> Int { Int(try await counters()["repairs"] ?? 0) }

    private func counters() async throws -> [String: Int64] {
        try await read { database in
            let rows = try Row.fetchAll(database.cachedStatement(sql: SQL.counters))
            return Dictionary(try rows.map { (try $0.text(0), try $0.integer(1)) }, uniquingKeysWith: { $1 })
        }
    }
}

extension WriteTransaction {
    fileprivate func save(_ node: NodeRecord) throws {
        try run(
            SQL.saveNode,
            [
                node.id.data, node.address, node.zone, node.addedAt.millisecondsSince1970, node.weight,
                node.membership.rawValue,
            ])
    }
}

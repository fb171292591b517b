internal import Core
internal import HTTPEdge
internal import ObjectStore

struct AddressDocument: Decodable {
    let address: String

    private enum CodingKeys: CodingKey, CaseIterable {
        case address
    }

    init(from decoder: any Decoder) throws {
        address = try decoder.order(CodingKeys.self).decode(String.self, forKey: .address)
    }
}

struct NodeDocument: Encodable {
    let node: String
}

/// The body of an order that changes a node's part. All of it may be left out.
struct ForceDocument: Decodable {
    let force: Bool

    private enum CodingKeys: CodingKey, CaseIterable {
        case force
    }

    init(from decoder: any Decoder) throws {
        force = try decoder.order(CodingKeys.self).decodeIfPresent(Bool.self, forKey: .force) ?? false
    }
}

/// The body of an order that changes a node's weight.
struct WeightDocument: Decodable {
    let weight: Double
    let force: Bool

    private enum CodingKeys: CodingKey, CaseIterable {
        case weight, force
    }

    init(from decoder: any Decoder) throws {
        let order = try decoder.order(CodingKeys.self)
        weight = try order.decode(Double.self, forKey: .weight)
        force = try order.decodeIfPresent(Bool.self, forKey: .force) ?? false
    }
}

/// What a plan is asked for.
enum PlannedChange: Equatable {
    case change(LayoutChange)
    /// Of the node at an address.
    case addition(address: String)
}

/// The change that a plan is asked for: exactly one member.
struct PlanDocument: Decodable {
    struct Weight: Decodable {
        let node: String
        let weight: Double

        private enum CodingKeys: CodingKey, CaseIterable {
            case node, weight
        }

        init(from decoder: any Decoder) throws {
            let order = try decoder.order(CodingKeys.self)
            node = try order.decode(String.self, forKey: .node)
            weight = try order.decode(Double.self, forKey: .weight)
        }
    }

    let add: String?
    let drain: String?
    let remove: String?
    let restore: String?
    let setWeight: Weight?

    private enum CodingKeys: CodingKey, CaseIterable {
        case add, drain, remove, restore, setWeight
    }

    init(from decoder: any Decoder) throws {
        let order = try decoder.order(CodingKeys.self)
        add = try order.decodeIfPresent(String.self, forKey: .add)
        drain = try order.decodeIfPresent(String.self, forKey: .drain)
        remove = try order.decodeIfPresent(String.self, forKey: .remove)
        restore = try order.decodeIfPresent(String.self, forKey: .restore)
        setWeight = try order.decodeIfPresent(Weight.self, forKey: .setWeight)
    }

    func change() throws -> PlannedChange {
        let changes: [PlannedChange] = try [
            add.map { .addition(address: try AdministrationRoutes.address($0)) },
            drain.map { .change(.drain(try AdministrationRoutes.node($0))) },
            remove.map { .change(.remove(try AdministrationRoutes.node($0))) },
            restore.map { .change(.restore(try AdministrationRoutes.node($0))) },
            setWeight.map { .change(.setWeight(try AdministrationRoutes.node($0.node), try AdministrationRoutes.weight($0.weight))) },
        ].compactMap { $0 }
        guard changes.count == 1, let change = changes.first else {
            throw AdministrationRoutes.malformed("exactly one of add, drain, remove, restore and setWeight is expected")
        }
        return change
    }
}

/// A node's part in a layout.
struct LayoutMemberDocument: Encodable {
    let node: String
    let weight: Double
    let zone: String
    let partitions: Int

    init(_ member: LayoutMemberStatus) {
        node = member.node.description
        weight = member.weight
        zone = member.zone
        partitions = member.partitions
    }
}

struct LayoutDocument: Encodable {
    let version: Int
    let partitionCount: Int
    let replicas: Int
    let members: [LayoutMemberDocument]

    init(_ status: LayoutStatus) {
        version = status.version
        partitionCount = status.partitionCount
        replicas = status.replicas
        members = status.members.map(LayoutMemberDocument.init)
    }
}

struct LayoutPlanDocument: Encodable {
    let fromVersion: Int
    let toVersion: Int
    let movedPartitions: Int
    let leastPartitions: Int
    let movedBytes: Int64
    let members: [LayoutMemberDocument]
    let refusal: String?

    private enum CodingKeys: CodingKey {
        case fromVersion, toVersion, movedPartitions, leastPartitions, movedBytes, members, refusal
    }

    /// Every member is always there; `refusal` is null when the change is safe.
    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(fromVersion, forKey: .fromVersion)
        try container.encode(toVersion, forKey: .toVersion)
        try container.encode(movedPartitions, forKey: .movedPartitions)
        try container.encode(leastPartitions, forKey: .leastPartitions)
        try container.encode(movedBytes, forKey: .movedBytes)
        try container.encode(members, forKey: .members)
        try container.encode(refusal, forKey: .refusal)
    }

    init(_ plan: LayoutPlan) {
        fromVersion = plan.fromVersion
        toVersion = plan.toVersion
        movedPartitions = plan.movedPartitions
        leastPartitions = plan.leastPartitions
        movedBytes = plan.movedBytes
        refusal = plan.refusal
        members = plan.members.map(LayoutMemberDocument.init)
    }
}

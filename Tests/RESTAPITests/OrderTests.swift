import AdminAPI
import Core
import ErasureCoding
import Foundation
import HTTPEdge
import Logging
import NIOCore
import NIOHTTP1
import ObjectStore
import RESTAPI
import Synchronization
import Testing

/// Orders to the cluster: which are taken, and as what.
@Suite("Orders")
struct OrderTests {
    private static let node = NodeID(uuid: UUIDv7(high: 1, low: 2))

    static func respond(_ method: HTTPMethod, _ target: String, _ body: String, routes: [Route]) async throws -> HTTPResponse {
        let router = Router(routes: routes, problem: storeProblem)
        let request = HTTPRequest(
            id: "id", method: method, target: RequestTarget(target), body: RequestBody([ByteBuffer(string: body)]),
            logger: Logger(label: "test"))
        do {
            return try await router.respond(to: request)
        } catch {
            return router.response(to: error, for: FailedRequest(id: "id", target: request.target))
        }
    }

    private static func order(_ method: HTTPMethod, _ path: String, _ body: String, of cluster: RecordedAdministration) async throws -> UInt
    {
        let target = "/cluster/" + path.replacing("NODE", with: node.description)
        let body = body.replacing("NODE", with: node.description)
        return try await respond(method, target, body, routes: AdministrationRoutes(cluster).routes).status.code
    }

    @Test(
        "an order is taken as it is written",
        arguments: [
            ("drain", "", LayoutChange.drain(node), false), ("drain", "{}", .drain(node), false),
            ("remove", #"{"force":true}"#, .remove(node), true), ("restore", #"{"force":false}"#, .restore(node), false),
            ("weight", #"{"weight":2}"#, .setWeight(node, 2), false),
            ("weight", #"{"weight":1000000,"force":true}"#, .setWeight(node, 1_000_000), true),
        ])
    func ordersAreTaken(_ name: String, _ body: String, _ change: LayoutChange, _ force: Bool) async throws {
        let cluster = RecordedAdministration()
        #expect(try await Self.order(name == "weight" ? .PUT : .POST, "nodes/NODE/\(name)", body, of: cluster) == 200)
        #expect(cluster.orders == [RecordedAdministration.Order(change: change, force: force)])
    }

    @Test(
        "an order with a member that is unknown, null, of another kind or out of range is refused, not taken for another order",
        arguments: [
            ("drain", #"{"forse":true}"#), ("drain", #"{"force":null}"#), ("drain", #"{"force":1}"#), ("drain", #"{"weight":2}"#),
            ("drain", "[]"), ("drain", "null"), ("drain", "{"), ("weight", ""), ("weight", "{}"), ("weight", #"{"weight":0}"#),
            ("weight", #"{"weight":-1}"#), ("weight", #"{"weight":1000000.5}"#), ("weight", #"{"weight":1e999}"#),
            ("weight", #"{"weight":"2"}"#), ("weight", #"{"weight":null}"#), ("weight", #"{"weight":2,"zone":"a"}"#),
        ])
    func carelessOrdersAreRefused(_ name: String, _ body: String) async throws {
        let cluster = RecordedAdministration()
        #expect(try await Self.order(name == "weight" ? .PUT : .POST, "nodes/NODE/\(name)", body, of: cluster) == 400)
        #expect(cluster.orders.isEmpty)
    }

    @Test(
        "a plan is of exactly one change, with nothing beside it",
        arguments: [
            (#"{"drain":"NODE"}"#, UInt(200)), (#"{"add":"10.0.0.14:9001"}"#, 200), (#"{"add":"10.0.0.14"}"#, 400),
            (#"{"add":"10.0.0.14:9001","drain":"NODE"}"#, 400), (#"{"setWeight":{"node":"NODE","weight":0.5}}"#, 200), ("{}", 400),
            ("", 400),
            (#"{"drain":"NODE","remove":"NODE"}"#, 400), (#"{"drain":"NODE","remove":null}"#, 400),
            (#"{"drain":"NODE","force":true}"#, 400),
            (#"{"drain":"node"}"#, 400), (#"{"setWeight":{"node":"NODE"}}"#, 400), (#"{"setWeight":{"node":"NODE","weight":0}}"#, 400),
            (#"{"setWeight":{"node":"NODE","weight":1,"force":true}}"#, 400),
        ])
    func plansAreOfOneChange(_ body: String, _ status: UInt) async throws {
        #expect(try await Self.order(.POST, "layout/plan", body, of: RecordedAdministration()) == status)
    }

    @Test(
        "a node is added at an address, and at nothing else",
        arguments: [
            (#"{"address":"10.0.0.14:9001"}"#, UInt(201)), (#"{"address":"[::1]:9001"}"#, 201), (#"{"address":"10.0.0.14"}"#, 400),
            (#"{"address":"10.0.0.14:0"}"#, 400), (#"{"address":"10.0.0.14:9001","zone":"a"}"#, 400), ("{}", 400),
        ])
    func nodesAreAddedAtAddresses(_ body: String, _ status: UInt) async throws {
        #expect(try await Self.order(.POST, "nodes", body, of: RecordedAdministration()) == status)
    }

    @Test(
        "a bucket gets a class that there is, or the default, and nothing is stored anew that nobody asked for",
        arguments: [
            (#"{"storageClass":"ec-4-2"}"#, "files: ec-4-2"), (#"{"storageClass":"default"}"#, "files: nil"),
            (#"{"storageClass":"replicated-3","reencode":true}"#, "files: replicated-3, what is there too"),
            (#"{"storageClass":"ec-4-2","reencode":false}"#, "files: ec-4-2"), (#"{"storageClass":"ec-0-9"}"#, nil),
            (#"{"storageClass":null}"#, nil), (#"{"reencode":true}"#, nil), ("{}", nil), (#"{"storageClass":"ec-4-2","force":true}"#, nil),
            (#"{"storageClass":"ec-4-2","reencode":"yes"}"#, nil),
        ])
    func storageClasses(_ body: String, _ taken: String?) async throws {
        let cluster = RecordedAdministration()
        let status = try await Self.order(.PUT, "buckets/files/storage-class", body, of: cluster)
        #expect(status == (taken == nil ? 400 : 200) && cluster.classes == [taken].compactMap { $0 })
    }

    @Test("what makes no sense in the cluster's state is a conflict, not a mistake in the request")
    func senselessChangesAreConflicts() async throws {
        let cluster = RecordedAdministration()
        cluster.fail(with: .invalid(detail: "no node would be left"))
        #expect(try await Self.order(.POST, "nodes/NODE/drain", "", of: cluster) == 409)
    }
}

/// A cluster that takes every order and remembers it.
final class RecordedAdministration: ClusterAdministration {
    struct Order: Equatable {
        let change: LayoutChange
        let force: Bool
    }

    private struct NotAsked: Error {}

    private let state = Mutex((orders: [Order](), failure: AdministrationError?.none))
    private let classesSet = Mutex<[String]>([])

    /// What buckets were given.
    var classes: [String] { classesSet.withLock { $0 } }

    var orders: [Order] { state.withLock { $0.orders } }
    func fail(with error: AdministrationError) { state.withLock { $0.failure = error } }

    func plan(_ change: LayoutChange) async throws -> LayoutPlan {
        LayoutPlan(fromVersion: 1, toVersion: 2, movedPartitions: 0, leastPartitions: 0, movedBytes: 0, members: [])
    }

    func planAddition(at address: String) async throws -> LayoutPlan {
        LayoutPlan(fromVersion: 1, toVersion: 2, movedPartitions: 0, leastPartitions: 0, movedBytes: 0, members: [])
    }

    func apply(_ change: LayoutChange, force: Bool) async throws -> LayoutPlan {
        try state.withLock { state in
            if let failure = state.failure { throw failure }
            state.orders.append(Order(change: change, force: force))
        }
        return try await plan(change)
    }

    func buckets(after name: String?, limit: Int) async throws -> [BucketStatus] { [] }
    func setStorageClass(_ storageClass: StorageClass?, ofBucket name: String, reencode: Bool) async throws -> BucketStatus {
        let text = "\(name): \(storageClass?.description ?? "nil")\(reencode ? ", what is there too" : "")"
        classesSet.withLock { $0.append(text) }
        return BucketStatus(name: name, storageClass: storageClass, reencoding: nil)
    }
    func addNode(at address: String) async throws -> NodeID { NodeID(uuid: UUIDv7(high: 3, low: 4)) }
    func setBackgroundPaused(_ isPaused: Bool) async throws {}
    func clusterStatus() async throws -> ClusterStatus { throw NotAsked() }
    func layoutStatus() async throws -> LayoutStatus { throw NotAsked() }
    func join(_ request: JoinRequest) async throws -> JoinAnswer { throw NotAsked() }
}

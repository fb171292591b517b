import AdminAPI
import Core
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
            (#"{"drain":"NODE"}"#, UInt(200)), (#"{"setWeight":{"node":"NODE","weight":0.5}}"#, 200), ("{}", 400), ("", 400),
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

    func addNode(at address: String) async throws -> NodeID { NodeID(uuid: UUIDv7(high: 3, low: 4)) }
    func setBackgroundPaused(_ isPaused: Bool) async throws {}
    func clusterStatus() async throws -> ClusterStatus { throw NotAsked() }
    func layoutStatus() async throws -> LayoutStatus { throw NotAsked() }
    func join(_ request: JoinRequest) async throws -> JoinAnswer { throw NotAsked() }
}

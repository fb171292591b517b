internal import Core
internal import Foundation
public import HTTPEdge
internal import NIOCore
internal import NIOHTTP1
public import ObjectStore

/// What operators ask of the cluster: members, weights, layouts, movement.
public struct AdministrationRoutes: Sendable {
    /// Bytes of a request's body.
    private static let longestBody = 64 * 1024
    private static let bucketsOnPage = 1_000

    private let administration: any ClusterAdministration

    public init(_ administration: any ClusterAdministration) { self.administration = administration }

    public var routes: [Route] {
        [
            Route(.GET, "/cluster/layout") { _, _ in try Self.answer(LayoutDocument(try await asking { try await $0.layoutStatus() })) },
            Route(.POST, "/cluster/layout/plan") { request, _ in
                let planned = try await Self.body(request, as: PlanDocument.self).change()
                let plan = try await asking { administration in
                    switch planned {
                    case .change(let change): try await administration.plan(change)
                    case .addition(let address): try await administration.planAddition(at: address)
                    }
                }
                return try Self.answer(LayoutPlanDocument(plan))
            },
            Route(.POST, "/cluster/nodes") { request, _ in
                let address = try Self.address(try await Self.body(request, as: AddressDocument.self).address)
                let node = try await asking { try await $0.addNode(at: address) }
                return try Self.answer(NodeDocument(node: node.description), status: .created)
            },
            change("drain", LayoutChange.drain),
            change("remove", LayoutChange.remove),
            change("restore", LayoutChange.restore),
            Route(.PUT, "/cluster/nodes/{node}/weight") { request, parameters in
                let document = try await Self.body(request, as: WeightDocument.self)
                let change = LayoutChange.setWeight(try Self.node(parameters["node"]), try Self.weight(document.weight))
                return try await make(change, force: document.force)
            },
            Route(.GET, "/cluster/buckets") { request, _ in try await buckets(request) },
            Route(.PUT, "/cluster/buckets/{bucket}/storage-class") { request, parameters in
                let name = parameters["bucket"]
                let order = try await Self.body(request, as: StorageClassDocument.self)
                let status = try await asking {
                    try await $0.setStorageClass(order.storageClass, ofBucket: name, reencode: order.reencode)
                }
                return try Self.answer(BucketDocument(status))
            },
            Route(.POST, "/cluster/pause") { _, _ in try await pause(true) },
            Route(.POST, "/cluster/resume") { _, _ in try await pause(false) },
        ]
    }

    private func change(_ name: String, _ change: @escaping @Sendable (NodeID) -> LayoutChange) -> Route {
        Route(.POST, "/cluster/nodes/{node}/\(name)") { request, parameters in
            let document = try await Self.body(request, as: ForceDocument.self)
            return try await make(change(try Self.node(parameters["node"])), force: document.force)
        }
    }

    private func make(_ change: LayoutChange, force: Bool) async throws -> HTTPResponse {
        try Self.answer(LayoutPlanDocument(try await asking { try await $0.apply(change, force: force) }))
    }

    private func buckets(_ request: HTTPRequest) async throws -> HTTPResponse {
        let cursor = try request.target.queryValue("cursor")
        let buckets = try await asking { try await $0.buckets(after: cursor, limit: Self.bucketsOnPage) }
        let nextCursor = buckets.count == Self.bucketsOnPage ? buckets.last?.name : nil
        return try Self.answer(BucketListDocument(buckets: buckets.map(BucketDocument.init), nextCursor: nextCursor))
    }

    private func pause(_ isPaused: Bool) async throws -> HTTPResponse {
        try await asking { try await $0.setBackgroundPaused(isPaused) }
        return HTTPResponse(status: .noContent)
    }

    // MARK: Requests

    static func body<Document: Decodable>(_ request: HTTPRequest, as _: Document.Type) async throws -> Document {
        var bytes = ByteBuffer()
        for try await var part in request.body {
            bytes.writeBuffer(&part)
            guard bytes.readableBytes <= longestBody else { throw malformed("the body has more than \(longestBody) bytes") }
        }
        do {
            return try JSONDecoder().decode(Document.self, from: bytes.readableBytes == 0 ? Data("{}".utf8) : Data(bytes.readableBytesView))
        } catch let problem as Problem {
            throw problem
        } catch let error as UnexpectedMember {
            throw malformed(error.detail)
        } catch {
            throw malformed("the body is not the JSON object that is expected here")
        }
    }

    static func node(_ text: String) throws -> NodeID {
        guard let node = NodeID(text) else { throw malformed("a node is named by its id, as GET /cluster shows it") }
        return node
    }

    static func weight(_ weight: Double) throws -> Double {
        guard LayoutChange.acceptsWeight(weight) else {
            throw malformed("a weight is more than 0 and at most \(Int(LayoutChange.largestWeight))")
        }
        return weight
    }

    static func address(_ text: String) throws -> String {
        guard HostPort(text).map({ $0.port > 0 }) == true else { throw malformed("address is host:port") }
        return text
    }

    static func malformed(_ detail: String) -> Problem {
        Problem(.badRequest, "malformed-order", title: "This cannot be asked of the cluster", detail: detail)
    }

    // MARK: Answers

    private static func answer(_ document: some Encodable, status: HTTPResponseStatus = .ok) throws -> HTTPResponse {
        var response = try HTTPResponse.json(document, headers: ["Cache-Control": "no-store"])
        response.status = status
        return response
    }

    private func asking<Value>(_ body: (any ClusterAdministration) async throws -> Value) async throws -> Value {
        do {
            return try await body(administration)
        } catch let error as AdministrationError {
            throw Problem(error)
        }
    }
}

extension Problem {
    /// How an operator sees what the cluster does not do.
    init(_ error: AdministrationError) {
        switch error {
        case .unknownNode(let node):
            self.init(.notFound, "node-not-found", title: "There is no such node", detail: "no node has the id \(node)")
        case .unknownBucket(let name):
            self.init(.notFound, "bucket-not-found", title: "There is no such bucket", detail: "no bucket has the name \(name)")
        case .unreachable(let address, let detail):
            self.init(.badGateway, "node-unreachable", title: "The node does not answer", detail: "\(address): \(detail)")
        case .notAdmitted(let detail):
            self.init(.conflict, "node-not-admitted", title: "The node cannot be a member", detail: detail)
        case .removed(let node):
            self.init(
                .conflict, "node-removed", title: "The node was taken out of the cluster", detail: "node \(node) is taken back by restore")
        case .refused(let detail):
            self.init(.conflict, "change-refused", title: "The change would be unsafe; force does it all the same", detail: detail)
        case .invalid(let detail):
            self.init(.conflict, "change-invalid", title: "The change makes no sense", detail: detail)
        }
    }
}

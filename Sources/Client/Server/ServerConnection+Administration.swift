internal import AsyncHTTPClient
internal import Foundation
internal import NIOCore
internal import NIOHTTP1

/// An answer, and the server's very text of it.
package struct ServerDocument<Description: Decodable & Sendable>: Sendable {
    package let description: Description
    package let text: String
}

/// What operators ask of the cluster. Nodes are named by their ids. An order must not be repeated once it may have arrived.
extension ServerConnection {
    package func cluster() async throws -> ServerDocument<ClusterDescription> { try await document(request(.GET, ["cluster"])) }

    package func layout() async throws -> ServerDocument<LayoutDescription> { try await document(request(.GET, ["cluster", "layout"])) }

    /// What a change would move; nothing is changed.
    func plan(_ question: LayoutPlanQuestion) async throws -> ServerDocument<LayoutPlanDescription> {
        try await document(request(.POST, ["cluster", "layout", "plan"], question))
    }

    package func order(_ change: NodeChange, of node: String, force: Bool) async throws -> ServerDocument<LayoutPlanDescription> {
        let method: HTTPMethod = change.weight == nil ? .POST : .PUT
        return try await document(
            request(method, ["cluster", "nodes", node, change.resource], NodeChangeOrder(change, force: force)))
    }

    /// - Parameter address: `host:port`
    package func addNode(at address: String) async throws -> ServerDocument<AddedNode> {
        try await document(request(.POST, ["cluster", "nodes"], AddNodeOrder(address: address)))
    }

    package func buckets(after cursor: String?) async throws -> BucketPage {
        let query = cursor.map { [(name: "cursor", value: $0)] } ?? []
        let bytes = try await answer(to: HTTPClientRequest(url: server.url(["cluster", "buckets"], query: query)))
        return try decode(BucketPage.self, from: bytes)
    }

    /// - Parameter storageClass: `default` for the cluster's.
    package func setStorageClass(
        _ storageClass: String, ofBucket name: String, reencode: Bool
    ) async throws -> ServerDocument<BucketDescription> {
        let order = StorageClassOrder(storageClass: storageClass, reencode: reencode ? true : nil)
        return try await document(request(.PUT, ["cluster", "buckets", name, "storage-class"], order))
    }

    /// Stops or resumes what moves in the background.
    package func setBackgroundPaused(_ isPaused: Bool) async throws {
        _ = try await answer(to: request(.POST, ["cluster", isPaused ? "pause" : "resume"]))
    }

    private func document<Description: Decodable>(_ request: HTTPClientRequest) async throws -> ServerDocument<Description> {
        let bytes = try await answer(to: request)
        return ServerDocument(description: try decode(Description.self, from: bytes), text: String(buffer: bytes))
    }

    private func request(_ method: HTTPMethod, _ path: [String]) -> HTTPClientRequest {
        var request = HTTPClientRequest(url: server.url(path))
        request.method = method
        return request
    }

    private func request(_ method: HTTPMethod, _ path: [String], _ body: some Encodable) throws -> HTTPClientRequest {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        var request = request(method, path)
        request.headers.add(name: "Content-Type", value: "application/json")
        request.body = .bytes(ByteBuffer(bytes: try encoder.encode(body)))
        return request
    }
}

import APIDescription
import AdminAPI
import Core
import Foundation
import HTTPEdge
import NIOCore
import NIOHTTP1
import ObjectStore
import PrometheusMetrics
import ServerAssembly
import Testing

/// The description of the API against what there is.
@Suite("The description of the API")
struct DescriptionTests {
    private struct NoBackups: MetadataBackups {
        func backUpMetadata(to path: String) async throws {}
        func noteBackup(madeAt time: Timestamp) async {}
    }

    private static let place = "Sources/APIDescription/openapi.yaml"

    private static let logLevel = LogLevelRoutes(levels: ["info"], current: { "info" }, change: { _ in }).routes

    private static let routes =
        GatewayRoutes.client(MemoryFileStore()) + GatewayRoutes.objects { _, _, _, _ in HTTPResponse(status: .ok) }
        + GatewayRoutes.administration(
            MemoryFileStore(), RecordedAdministration(),
            backups: BackupRoutes(NoBackups(), directory: "", time: SystemTime(), executor: InlineExecutor()), metrics: MetricsRegistry([]),
            logLevel: logLevel)
        + AccountTests.routes(MemoryAccounts())

    private static func operations(_ routes: [Route]) -> Set<APIDescription.Operation> {
        Set(routes.map { APIDescription.Operation(method: $0.method.rawValue, path: $0.pattern) })
    }

    @Test("every route is described, and what is described is a route")
    func routesAreDescribed() throws {
        let described = try APIDescription.load().operations
        let routes = Self.operations(Self.routes)
        for operation in routes.subtracting(described).sorted(by: { $0.path < $1.path }) {
            Issue.record(
                """
                \(operation) is a route that \(Self.place) does not describe: add it there under paths, with summary, tags, operationId, \
                parameters, body and every answer, and its problems under components/examples; docs/rest-api.md tells people of it
                """)
        }
        for operation in described.subtracting(routes).sorted(by: { $0.path < $1.path }) {
            Issue.record(
                "\(operation) is described in \(Self.place), but is no route of GatewayRoutes: take it out of the description, or add it"
            )
        }
    }

    @Test("the routes of a storage node are described too")
    func routesOfNodesAreDescribed() throws {
        let routes = Self.operations(
            NodeRoutes.health(isReady: { true }) + NodeRoutes.administration(metrics: MetricsRegistry([]), logLevel: Self.logLevel))
        let missing = try routes.subtracting(APIDescription.load().operations)
        #expect(missing.isEmpty, "routes of NodeRoutes that \(Self.place) does not describe")
    }

    @Test("the description is served as it is in the sources, and as JSON with its members in the same order")
    func descriptionIsServed() async throws {
        let yaml = try await Self.get("/openapi.yaml")
        let source = try Data(contentsOf: URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../\(Self.place)"))
        #expect(yaml.headers.first(name: "content-type") == "application/yaml")
        #expect(Data(yaml.body.readableBytesView) == source)

        let json = try await Self.get("/openapi.json")
        #expect(json.headers.first(name: "content-type") == "application/json")
        let document = try #require(JSONSerialization.jsonObject(with: Data(json.body.readableBytesView)) as? [String: Any])
        #expect(document["openapi"] as? String == "3.1.1")
        let text = String(buffer: json.body)
        let names = ["openapi", "info", "servers", "tags", "paths", "components"]
        #expect(Set(document.keys) == Set(names))
        let places = names.map { text.firstRange(of: "\"\($0)\":")?.lowerBound ?? text.endIndex }
        #expect(places == places.sorted())
    }

    @Test("the page for people names every operation, and needs nothing but itself")
    func pageStandsAlone() async throws {
        let answer = try await Self.get("/docs")
        let page = String(buffer: answer.body)
        #expect(answer.headers.first(name: "content-type") == "text/html; charset=utf-8")
        for operation in try APIDescription.load().operations {
            #expect(page.contains("<b>\(operation.method)</b> <code>\(operation.path)</code>"), "\(operation)")
        }
        for reference in page.matches(of: /(?:src|href|action)="([^"]*)"/).map(\.1) {
            #expect(reference.hasPrefix("#") || reference.hasPrefix("/openapi."), "\(reference)")
        }
        #expect(!page.contains("<script"))
        let policy = try #require(answer.headers.first(name: "content-security-policy"))
        #expect(policy.hasPrefix("default-src 'none'; style-src 'sha256-"))
    }

    private static func get(_ target: String) async throws -> (headers: HTTPHeaders, body: ByteBuffer) {
        let response = try await OrderTests.respond(.GET, target, "", routes: routes)
        guard case .bytes(let body) = response.body else { preconditionFailure("a body of another kind") }
        return (response.headers, body)
    }
}

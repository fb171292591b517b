import AdminAPI
import Core
import ErasureCoding
import Foundation
import HTTPEdge
import Logging
import Metadata
import NIOCore
import NIOHTTP1
import ObjectStore
import RESTAPI
import S3API
import Testing

/// Clients tell problems apart by their types: each is produced here by what causes it, and compared with docs/rest-api.md.
@Suite("Types of problems")
struct ProblemTests {
    @Test("every problem has the type and status that the documentation says, and the documentation has every one")
    func documented() async throws {
        var produced = Self.ofEdge()
        for problems in [Self.ofStore(), try await Self.ofRoutes(), try await Self.ofAdministration(), try await Self.ofBackups()] {
            produced.merge(problems) { $1 }
        }
        produced.merge(try await Self.ofAccounts()) { $1 }
        produced.merge(Self.table([PublicObjectProblem.notFound, PublicObjectProblem.notPublic])) { $1 }
        produced.merge(try await Self.ofNodes()) { $1 }
        produced.merge(try await Self.ofProcesses()) { $1 }
        let documented = try Self.documentation()
        #expect(produced.filter { documented[$0.key] != $0.value } == [:], "is not what the documentation says")
        #expect(documented.keys.filter { produced[$0] == nil }.sorted() == [], "is documented and never happens")
    }

    // MARK: What is written

    /// Type and status of each row `| `type`, `type` | status | ... |`.
    private static func documentation() throws -> [String: UInt] {
        let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        let text = try String(contentsOf: root.appending(path: "docs/rest-api.md"), encoding: .utf8)
        var problems: [String: UInt] = [:]
        for line in text.split(separator: "\n") where line.hasPrefix("| `") {
            let cells = line.split(separator: "|").map { $0.trimmingCharacters(in: .whitespaces) }
            guard cells.count >= 2, let status = UInt(cells[1]), (400..<600).contains(status) else { continue }
            for type in cells[0].split(separator: ",") {
                problems[type.trimmingCharacters(in: CharacterSet(charactersIn: " `"))] = status
            }
        }
        return problems
    }

    // MARK: What happens

    private static func table(_ problems: [Problem]) -> [String: UInt] {
        Dictionary(problems.map { ($0.kind, $0.status.code) }) { $1 }
    }

    private static func ofEdge() -> [String: UInt] {
        let errors: [EdgeError] = [
            .malformedRequest(detail: ""), .headerTooLarge, .expectationFailed, .headerTimeout, .bodyStalled, .bodyTruncated,
            .malformedBody(detail: ""), .overloaded, .connectionClosed, .responseLengthMismatch(announced: 1, written: 2), .noSuchRoute,
            .methodNotAllowed(allowed: ["GET"]),
        ]
        return table(errors.map(Problem.init))
    }

    private static func ofStore() -> [String: UInt] {
        let chunk = ChunkID(blob: BlobID(uuid: UUIDv7(high: 1, low: 1)), index: 0)
        let errors: [StoreError] = [
            .notEnoughNodes(available: 1, required: 2), .storageClassUnavailable(.copies(9), required: 9, available: 4),
            .quorumNotReached(chunk: chunk, acknowledged: 1, required: 2, detail: ""), .chunkUnavailable(chunk, detail: ""),
            .insufficientStorage(detail: ""), .metadataFailure(detail: ""), .shuttingDown,
        ]
        return table(errors.compactMap { storeProblem(for: $0) })
    }

    private static func ofRoutes() async throws -> [String: UInt] {
        let store = MemoryFileStore()
        let file = store.add(ByteBuffer(string: "content")).key
        var limits = RESTLimits()
        limits.uploadBytes = 1_000
        limits.filesPerUpload = 1
        limits.ignoredFieldBytes = 4
        func form(_ parts: String...) -> String {
            parts.map { "--b\r\nContent-Disposition: form-data; \($0)\r\n" }.joined() + "--b--\r\n"
        }
        let formType = [("Content-Type", "multipart/form-data; boundary=b")]
        let requests: [(HTTPMethod, String, [(String, String)], String)] = [
            (.POST, "/upload", formType, "no boundary at all"),
            (.POST, "/upload", formType, form("name=note\r\n\r\nhi")),
            (.POST, "/upload", formType, form("name=note\r\n\r\ntoo long a note")),
            (.POST, "/upload", formType, form("name=file\r\n\r\n1", "name=file\r\n\r\n2")),
            (.POST, "/upload", [], String(repeating: "x", count: 1_001)),
            (.POST, "/upload?storage-class=gold", [], ""),
            (.GET, "/files/nonsense", [], ""),
            (.GET, "/files/019b7ca9-8f2e-7cc1-afba-e3685963bb18", [], ""),
            (.GET, "/files?limit=0", [], ""),
            (.GET, "/files?cursor=nonsense", [], ""),
            (.GET, "/download/\(file)", [("If-Match", "\"another\"")], ""),
            (.GET, "/download/\(file)", [("Range", "bytes=1000-")], ""),
        ]
        var problems: [String: UInt] = [:]
        for (method, target, headers, body) in requests {
            let answer = try await RouteTests.ask(method, target, of: store, headers: headers, body: body, rest: limits)
            guard answer.status >= 400 else {
                Issue.record("\(method) \(target) \(body.prefix(99)) is answered with \(answer.status)")
                continue
            }
            problems[try type(of: answer.body)] = answer.status
        }
        return problems
    }

    private static func ofAdministration() async throws -> [String: UInt] {
        let node = NodeID(uuid: UUIDv7(high: 1, low: 1))
        let errors: [AdministrationError] = [
            .unknownNode(node), .unknownBucket("archive"), .unreachable(address: "", detail: ""), .notAdmitted(detail: ""), .removed(node),
            .refused(detail: ""), .invalid(detail: ""),
        ]
        var problems: [String: UInt] = [:]
        for error in errors {
            let routes = AdministrationRoutes(FailingAdministration(error)).routes
            problems.merge(try await ask(.GET, "/cluster/layout", of: routes)) { $1 }
            problems.merge(try await ask(.POST, "/cluster/nodes", body: "{", of: routes)) { $1 }
        }
        return problems
    }

    private static func ofBackups() async throws -> [String: UInt] {
        let directory = FileManager.default.temporaryDirectory.appending(path: "chunkflow-\(UUID().uuidString)").path
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let routes = BackupRoutes(EmptyBackups(), directory: directory, time: SystemTime(), executor: InlineExecutor()).routes
        // A backup that is not sent to its end is one that is still being sent.
        let first = try await Router(routes: routes, problem: { _ in nil }).respond(to: request(.GET, "/cluster/metadata/backup"))
        let problems = try await ask(.GET, "/cluster/metadata/backup", of: routes)
        withExtendedLifetime(first) {}
        return problems
    }

    private static func ofAccounts() async throws -> [String: UInt] {
        let routes = AccountTests.routes(MemoryAccounts())
        let account = #"{"id":"a","displayName":"A"}"#
        let key = #"{"accessKey":"AK1","secretKey":"12345678"}"#
        var problems = try await ask(.GET, "/accounts", of: routes)
        for (method, path, body) in [
            (HTTPMethod.POST, "/accounts", "{"), (.POST, "/accounts", account), (.POST, "/accounts", account),
            (.POST, "/accounts/a/keys", key),
            (.POST, "/accounts/a/keys", key), (.GET, "/accounts/b/keys", ""), (.DELETE, "/keys/AK2", ""),
        ] {
            let answer = try await AccountTests.ask(method, path, body, of: routes)
            if let problem = answer.problem { problems[problem] = answer.status }
        }
        return problems
    }

    private static func ofNodes() async throws -> [String: UInt] {
        try await ask(.GET, "/health/ready", of: NodeHealthRoutes(isReady: { false }).routes)
    }

    private static func ofProcesses() async throws -> [String: UInt] {
        let routes = LogLevelRoutes(levels: ["info"], current: { "info" }, change: { _ in }).routes
        let unknown = try await ask(.PUT, "/log-level", body: #"{"level":"loud"}"#, of: routes)
        return try await unknown.merging(ask(.GET, "/log-level", of: routes.demanding(AdminToken("a secret token")))) { $1 }
    }

    // MARK: Asking

    private static func request(_ method: HTTPMethod, _ target: String, body: String = "") -> HTTPRequest {
        HTTPRequest(
            id: "id", method: method, target: RequestTarget(target), headers: ["Content-Length": "\(body.utf8.count)"],
            body: RequestBody([ByteBuffer(string: body)]), logger: Logger(label: "test"))
    }

    private static func ask(
        _ method: HTTPMethod, _ target: String, body: String = "", of routes: [Route]
    ) async throws -> [String: UInt] {
        let router = Router(routes: routes, problem: storeProblem)
        let request = request(method, target, body: body)
        do {
            _ = try await router.respond(to: request)
            return [:]
        } catch {
            let response = router.response(to: error, for: FailedRequest(id: "id", target: request.target))
            guard case .bytes(let document) = response.body else { return [:] }
            return [try type(of: document): response.status.code]
        }
    }

    private static func type(of document: ByteBuffer) throws -> String {
        struct Document: Decodable { let type: String }
        let type = try JSONDecoder().decode(Document.self, from: Data(document.readableBytesView)).type
        #expect(type.hasPrefix("urn:chunkflow:problem:"))
        return String(type.dropFirst("urn:chunkflow:problem:".count))
    }
}

/// Refuses everything for one reason.
private struct FailingAdministration: ClusterAdministration {
    let error: AdministrationError

    init(_ error: AdministrationError) { self.error = error }

    func clusterStatus() async throws -> ClusterStatus { throw error }
    func layoutStatus() async throws -> LayoutStatus { throw error }
    func plan(_ change: LayoutChange) async throws -> LayoutPlan { throw error }
    func planAddition(at address: String) async throws -> LayoutPlan { throw error }
    func apply(_ change: LayoutChange, force: Bool) async throws -> LayoutPlan { throw error }
    func addNode(at address: String) async throws -> NodeID { throw error }
    func buckets(after name: String?, limit: Int) async throws -> [BucketStatus] { throw error }
    func setStorageClass(_ storageClass: StorageClass?, ofBucket name: String, reencode: Bool) async throws -> BucketStatus { throw error }
    func join(_ request: JoinRequest) async throws -> JoinAnswer { throw error }
    func setBackgroundPaused(_ isPaused: Bool) async throws { throw error }
}

/// Backups with a byte in them.
private struct EmptyBackups: MetadataBackups {
    func backUpMetadata(to path: String) async throws { try Data([0]).write(to: URL(filePath: path)) }
    func noteBackup(madeAt time: Timestamp) async {}
}

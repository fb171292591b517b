import AdminAPI
import HTTPEdge
import Logging
import NIOCore
import NIOHTTP1
import Testing

@Suite("The admin token, and the log level behind it")
struct AdminTokenTests {
    private final class Level: Sendable {
        let changes = AsyncStream<String>.makeStream()
    }

    private let level = Level()

    private func answer(
        _ method: HTTPMethod, _ headers: HTTPHeaders = [:], body: String = "", token: String? = "correct horse"
    ) async -> HTTPResponse {
        let changes = level.changes.continuation
        let routes = LogLevelRoutes(levels: ["debug", "info"], current: { "info" }, change: { changes.yield($0) }).routes
        let router = Router(routes: routes.demanding(token.map { AdminToken($0) }), problem: { _ in nil })
        let request = HTTPRequest(
            id: "r", method: method, target: RequestTarget("/log-level"), headers: headers, body: RequestBody([ByteBuffer(string: body)]),
            logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }))
        do { return try await router.respond(to: request) } catch {
            return router.response(to: error, for: FailedRequest(id: "r", target: nil))
        }
    }

    @Test(
        "who does not show the token gets 401 and is told what is wanted, whatever was tried",
        arguments: [
            [:], ["Authorization": "Bearer"], ["Authorization": "Bearer wrong"], ["Authorization": "Bearer correct horse x"],
            ["Authorization": "Bearer correct-hors"], ["Authorization": "Basic correct-horse"], ["Authorization": "correct-horse"],
            ["Authorization": "Bearer correct-horse", "authorization": "Bearer correct-horse"],
        ] as [HTTPHeaders])
    func refused(headers: HTTPHeaders) async {
        let response = await answer(.PUT, headers, body: #"{"level":"debug"}"#, token: "correct-horse")
        #expect(response.status == .unauthorized)
        #expect(response.headers["WWW-Authenticate"] == ["Bearer realm=\"chunkflow\""])
        level.changes.continuation.finish()
        for await change in level.changes.stream { Issue.record("changed to \(change)") }
    }

    @Test(
        "who shows it gets through, and where there is none everybody does", arguments: ["Bearer correct-horse", "bearer  correct-horse"])
    func admitted(field: String) async {
        #expect(await answer(.GET, ["Authorization": field], token: "correct-horse").status == .ok)
        #expect(await answer(.GET, token: nil).status == .ok)
    }

    @Test("the log level is changed to one that there is, and to no other")
    func levels() async {
        #expect(await answer(.PUT, body: #"{"level":"debug"}"#, token: nil).status == .ok)
        for wrong in [#"{"level":"verbose"}"#, #"{}"#, "debug", #"{"level":1}"#] {
            #expect(await answer(.PUT, body: wrong, token: nil).status == .badRequest)
        }
        level.changes.continuation.finish()
        var changes: [String] = []
        for await change in level.changes.stream { changes.append(change) }
        #expect(changes == ["debug"])
    }
}

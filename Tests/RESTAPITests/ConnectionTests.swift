import Core
import HTTPEdge
import Logging
import Metadata
import NIOCore
import NIOHTTP1
import ObjectStore
import RESTAPI
import Synchronization
import Testing

/// The edge against clients that do exactly what a test says, over real sockets.
@Suite("Connections", .timeLimit(.minutes(1)))
struct ConnectionTests {
    static func upload(_ length: Int, _ extra: String = "") -> String {
        "POST /upload HTTP/1.1\r\nHost: x\r\nContent-Length: \(length)\r\n\(extra)\r\n"
    }
    static func get(_ path: String, _ extra: String = "") -> String { "GET \(path) HTTP/1.1\r\nHost: x\r\n\(extra)\r\n" }

    @Test("100 Continue is sent once the checks have passed and the body is wanted")
    func continues() async throws {
        try await TestServer.run { test in
            let client = try await test.connect()
            test.store.uploadGate.close()
            client.send(Self.upload(5, "Expect: 100-continue\r\n"))
            try await test.eventually("the upload begins") { test.store.observations.uploadsBegun == 1 }
            #expect(client.receivedText == "")
            test.store.uploadGate.open()
            #expect(try await client.response().status == 100)
            client.send("hello")
            #expect(try await client.response().status == 201)
            #expect(try await client.exchange(Self.get("/health/live")).status == 200)
        }
    }

    @Test(
        "a refused upload is refused before its body is sent",
        arguments: [
            ("Content-Length: 11\r\nExpect: 100-continue\r\n", 413, false),
            ("Content-Length: 10\r\nContent-Type: multipart/form-data\r\nExpect: 100-continue\r\n", 400, false),
            ("Content-Length: 10\r\nExpect: 100-continue\r\n", 503, true),
            ("Content-Length: 10\r\n", 503, true),
            ("Content-Length: 10\r\nExpect: something\r\n", 417, false),
        ])
    func refuses(fields: String, status: Int, unwritable: Bool) async throws {
        var rest = RESTLimits()
        rest.uploadBytes = 10
        try await TestServer.run(rest: rest) { test in
            if unwritable { test.store.setFaults { $0.writable = .notEnoughNodes(available: 0, required: 2) } }
            let client = try await test.connect()
            let response = try await client.exchange("POST /upload HTTP/1.1\r\nHost: x\r\n\(fields)\r\n")
            #expect(response.status == status)
            #expect(response["connection"] == "close")
            #expect(response["retry-after"] != nil || status != 503)
            try await client.waitForEnd()
            #expect(test.store.observations.uploadsBegun == 0)
        }
    }

    @Test("a client that sends all of a refused body gets its answer nonetheless")
    func refusedInFullFlow() async throws {
        var rest = RESTLimits()
        rest.uploadBytes = 10
        try await TestServer.run(rest: rest) { test in
            let client = try await test.connect(reads: true)
            let body = ByteBuffer(repeating: 1, count: 8 * 1024 * 1024)
            client.send(Self.upload(body.readableBytes))
            try await client.sendAndFlush(body)
            #expect(try await client.response().status == 413)
            try await client.waitForEnd()
        }
    }

    @Test("a refused body that does not end is cut off")
    func lingerIsBounded() async throws {
        var limits = HTTPLimits()
        limits.lingerBytes = 1024 * 1024
        var rest = RESTLimits()
        rest.uploadBytes = 10
        try await TestServer.run(limits: limits, rest: rest) { test in
            let client = try await test.connect()
            client.send(Self.upload(1 << 40))
            #expect(try await client.response().status == 413)
            let piece = ByteBuffer(repeating: 1, count: 1024 * 1024)
            await #expect(throws: (any Error).self) {
                for _ in 0..<64 { try await client.sendAndFlush(piece) }
            }
        }
    }

    @Test("a body that ends early is an error to the store and 400 to whom still listens")
    func truncated() async throws {
        try await TestServer.run { test in
            for type in ["", "Content-Type: multipart/form-data; boundary=b\r\n"] {
                let client = try await test.connect()
                client.send(Self.upload(1_000, type) + "--b\r\nContent-Disposition: form-data; name=file\r\n\r\nhello")
                client.closeOutput()
                let response = try await client.response()
                #expect(response.status == 400)
                #expect(response.text.contains("urn:chunkflow:problem:body-truncated"))
                try await client.waitForEnd()
            }
            #expect(test.store.observations.uploadsFailed == ["bodyTruncated", "bodyTruncated"])
            #expect(test.store.fileCount == 0)
        }
    }

    @Test("a client that hangs up in mid-upload leaves nothing")
    func hangUpInUpload() async throws {
        try await TestServer.run { test in
            let client = try await test.connect()
            client.send(Self.upload(1_000) + "hello")
            try await test.eventually("the bytes arrive") { test.store.observations.bytesReceived == 5 }
            client.close()
            try await test.eventually("the upload fails") { test.store.observations.uploadsFailed.count == 1 }
            #expect(test.store.fileCount == 0)
            try await test.eventually("it is logged") {
                test.log.lines.contains { $0.contains("outcome=client-gone") || $0.contains("status=400") }
            }
        }
    }

    @Test("later files of a form that breaks take the earlier ones with them")
    func allOrNothing() async throws {
        try await TestServer.run { test in
            let client = try await test.connect()
            let part = "--b\r\nContent-Disposition: form-data; name=file\r\n\r\nhello\r\n"
            client.send(Self.upload(10_000, "Content-Type: multipart/form-data; boundary=b\r\n") + part + part)
            try await test.eventually("the first is there") { test.store.fileCount == 1 }
            client.close()
            try await test.eventually("the first is gone") { test.store.fileCount == 0 }
        }
    }

    @Test("a client that hangs up in mid-download ends the store's call")
    func hangUpInDownload() async throws {
        try await TestServer.run { test in
            let file = test.store.add(ByteBuffer(repeating: 1, count: 64 * 1024 * 1024))
            let client = try await test.connect(reads: false)
            client.send(Self.get("/download/\(file.key)"))
            try await Task.sleep(for: .milliseconds(50))
            #expect(test.store.observations.readsEnded == 0, "a client that does not read holds the store up")
            client.close()
            try await test.eventually("the read ends") { test.store.observations.readsEnded == 1 }
            #expect(test.store.observations.readErrors.count == 1)
        }
    }

    @Test("clients that vanish while bytes are being written to them hold nothing up, whichever write finds it out")
    func vanishingReaders() async throws {
        try await TestServer.run { test in
            let file = test.store.add(ByteBuffer(repeating: 1, count: 64 * 1024 * 1024))
            let readers = 40
            for _ in 0..<readers {
                let client = try await test.connect()
                client.send(Self.get("/download/\(file.key)"))
                // It reads on while the server writes, and then is gone with bytes unread.
                try await client.wait { bytes, _ in bytes.readableBytes > 1024 * 1024 ? () : nil }
                client.close()
            }
            try await test.eventually("every read ends") { test.store.observations.readsEnded == readers }
        }
    }

    @Test("a failure before the first byte is an answer, one after it breaks the connection")
    func failureInDownload() async throws {
        try await TestServer.run { test in
            let file = test.store.add(ByteBuffer(repeating: 1, count: 1024 * 1024))
            let chunk = ChunkID(blob: BlobID(uuid: UUIDv7(high: 1, low: 2)), index: 0)
            test.store.setFaults { $0.read = (0, .chunkUnavailable(chunk, detail: "")) }
            let client = try await test.connect()
            let response = try await client.exchange(Self.get("/download/\(file.key)"))
            #expect(response.status == 503 && response["retry-after"] != nil)
            #expect(response["content-disposition"] == nil)

            test.store.setFaults { $0.read = (256 * 1024, .chunkUnavailable(chunk, detail: "")) }
            await #expect(throws: RawClient.ClientError.self) { try await client.exchange(Self.get("/download/\(file.key)")) }
            #expect(client.receivedText.hasPrefix("HTTP/1.1 200 OK\r\n"))
            #expect(client.receivedBytes < 1024 * 1024)
            try await test.eventually("it is logged") { test.log.lines.contains { $0.contains("outcome=broken") } }
        }
    }

    @Test("a handler that gives too little or too much breaks the connection", arguments: [9, 11])
    func wrongLength(count: Int) async throws {
        let route = Route(.GET, "/wrong") { _, _ in
            HTTPResponse(
                status: .ok,
                body: .stream(byteCount: 10) { writer in
                    try await writer.write(ByteBuffer(string: "01234"))
                    try await writer.write(ByteBuffer(string: String("56789A".prefix(count - 5))))
                })
        }
        try await TestServer.run(extra: [route]) { test in
            let client = try await test.connect()
            await #expect(throws: RawClient.ClientError.self) { try await client.exchange(Self.get("/wrong")) }
        }
    }

    @Test("requests follow one another on a connection, pipelined ones in order")
    func keepsAlive() async throws {
        try await TestServer.run { test in
            let client = try await test.connect()
            for _ in 0..<3 { #expect(try await client.exchange(Self.get("/health/live")).status == 200) }
            // A body that is longer than its Content-Length is the beginning of the next request.
            client.send(
                Self.upload(5) + "hello" + Self.get("/health/live") + Self.upload(2) + "hi" + Self.get("/nope") + Self.get("/files"))
            for status in [201, 200, 201, 404, 200] { #expect(try await client.response().status == status) }
            #expect(test.store.fileCount == 2)
            #expect(try await client.exchange(Self.get("/health/live", "Connection: close\r\n"))["connection"] == "close")
            try await client.waitForEnd()
        }
    }

    @Test("bytes after a body that are no request are refused, the body's answer stands")
    func trailingGarbage() async throws {
        try await TestServer.run { test in
            let client = try await test.connect()
            client.send(Self.upload(5) + "hello, and much more")
            #expect(try await client.response().status == 201)
            #expect(try await client.response().status == 400)
            try await client.waitForEnd()
        }
    }

    @Test("hundreds of pipelined requests are all answered")
    func manyPipelined() async throws {
        try await TestServer.run { test in
            let client = try await test.connect()
            client.send(String(repeating: Self.get("/health/live"), count: 500))
            for _ in 0..<500 { #expect(try await client.response().status == 200) }
        }
    }

    @Test("HEAD has the headers of GET and no body")
    func head() async throws {
        try await TestServer.run { test in
            let file = test.store.add(ByteBuffer(repeating: 1, count: 1_000))
            let empty = test.store.add(ByteBuffer())
            let client = try await test.connect()
            for (key, length) in [(file.key, "1000"), (empty.key, "0")] {
                let response = try await client.exchange("HEAD /download/\(key) HTTP/1.1\r\nHost: x\r\n\r\n", bodiless: true)
                #expect(response.status == 200 && response["content-length"] == length)
            }
            #expect(try await client.exchange("HEAD /files HTTP/1.1\r\nHost: x\r\n\r\n", bodiless: true).status == 200)
            #expect(try await client.exchange("HEAD /nope HTTP/1.1\r\nHost: x\r\n\r\n", bodiless: true).status == 404)
            let got = try await client.exchange(Self.get("/download/\(empty.key)"))
            #expect(got.status == 200 && got["content-length"] == "0")
            let known = try await client.exchange(Self.get("/download/\(file.key)", "If-None-Match: *\r\n"), bodiless: true)
            #expect(known.status == 304 && known["content-length"] == nil)
            #expect(try await client.exchange(Self.get("/health/live")).status == 200)
        }
    }

    @Test(
        "what is no proper HTTP is refused",
        arguments: [
            ("NONSENSE\r\n\r\n", 400),
            ("GET / HTTP/2.0\r\nHost: x\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\nHost: x\r\nbad header\r\n\r\n", 400),
            ("POST /upload HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello", 400),
            ("POST /upload HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
            ("POST /upload HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n", 400),
            ("POST /upload HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\n\r\n", 400),
            ("POST /upload HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n", 400),
            ("POST /upload HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999999\r\n\r\n", 400),
            ("POST /upload HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 400),
            ("GET / HTTP/1.1\r\nHost: x\r\n" + String(repeating: "A: b\r\n", count: 101) + "\r\n", 431),
            ("GET / HTTP/1.1\r\nHost: x\r\nA: " + String(repeating: "b", count: 20_000) + "\r\n\r\n", 431),
            ("GET /" + String(repeating: "b", count: 20_000) + " HTTP/1.1\r\nHost: x\r\n\r\n", 431),
        ])
    func improper(request: String, status: Int) async throws {
        try await TestServer.run { test in
            let client = try await test.connect()
            let response = try await client.exchange(request)
            #expect(response.status == status)
            #expect(response["content-type"] == "application/problem+json" && response["x-request-id"] != nil)
            #expect(response["connection"] == "close")
            try await client.waitForEnd()
            #expect(test.store.fileCount == 0)
        }
    }

    @Test("chunked bodies are read, and HTTP/1.0 clients served")
    func otherFramings() async throws {
        try await TestServer.run { test in
            let client = try await test.connect()
            let chunked = "POST /upload HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n"
            #expect(try await client.exchange(chunked).text.contains("\"size\":5"))
            let old = try await test.connect()
            let response = try await old.exchange("GET /health/live HTTP/1.0\r\n\r\n")
            #expect(response.status == 200 && response["connection"] == "close")
            try await old.waitForEnd()
            let kept = try await test.connect()
            #expect(try await kept.exchange("GET /health/live HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")["connection"] == "keep-alive")
            #expect(try await kept.exchange("GET /health/live HTTP/1.0\r\n\r\n").status == 200)
        }
    }

    @Test("an idle connection is closed without a word")
    func idle() async throws {
        var limits = HTTPLimits()
        limits.idleTime = .milliseconds(200)
        try await TestServer.run(limits: limits) { test in
            let client = try await test.connect()
            try await client.waitForEnd()
            #expect(client.receivedText == "")
        }
    }

    @Test("slow clients are cut: in the head, in the body, in the response")
    func stalls() async throws {
        var limits = HTTPLimits()
        limits.headerTime = .milliseconds(300)
        limits.bodyStallTime = .milliseconds(300)
        limits.responseStallTime = .milliseconds(200)
        try await TestServer.run(limits: limits) { test in
            let inHead = try await test.connect()
            inHead.send("GET / HTTP/1.1\r\n")
            #expect(try await inHead.response().status == 408)
            try await inHead.waitForEnd()

            let inBody = try await test.connect()
            inBody.send(Self.upload(10) + "hello")
            let response = try await inBody.response()
            #expect(response.status == 408 && response.text.contains("body-stalled"))
            try await inBody.waitForEnd()
            #expect(test.store.observations.uploadsFailed == ["bodyStalled"])

            let file = test.store.add(ByteBuffer(repeating: 1, count: 64 * 1024 * 1024))
            let inResponse = try await test.connect(reads: false)
            inResponse.send(Self.get("/download/\(file.key)"))
            try await test.eventually("the read ends") { test.store.observations.readErrors.count == 1 }
        }
    }

    @Test("a store that is slow to read is no stalled client, and memory stays bounded")
    func backPressure() async throws {
        var limits = HTTPLimits()
        limits.bodyStallTime = .seconds(1)
        limits.bodyBufferBytes = 64 * 1024
        try await TestServer.run(limits: limits) { test in
            test.store.uploadGate.close()
            let client = try await test.connect()
            let body = ByteBuffer(repeating: 7, count: 32 * 1024 * 1024)
            var request = ByteBuffer(string: Self.upload(body.readableBytes))
            request.writeImmutableBuffer(body)
            let all = request
            let sent = Flag()
            try await withThrowingTaskGroup { group in
                group.addTask {
                    try await client.sendAndFlush(all)
                    sent.raise()
                }
                try await test.eventually("the upload begins") { test.store.observations.uploadsBegun == 1 }
                try await Task.sleep(for: .milliseconds(1_500))
                #expect(!sent.isRaised, "the client is held up")
                test.store.uploadGate.open()
                try await group.waitForAll()
            }
            #expect(try await client.response().status == 201)
            #expect(test.store.observations.bytesReceived == body.readableBytes)
        }
    }

    @Test("beyond their limits, requests and connections are answered with 503")
    func overload() async throws {
        var limits = HTTPLimits()
        limits.requestsInFlight = 1
        limits.connections = 2
        try await TestServer.run(limits: limits) { test in
            test.store.uploadGate.close()
            let first = try await test.connect()
            first.send(Self.upload(5) + "hello")
            try await test.eventually("the upload begins") { test.store.observations.uploadsBegun == 1 }
            let second = try await test.connect()
            let refused = try await second.exchange(Self.get("/health/live"))
            #expect(refused.status == 503 && refused["retry-after"] == "1" && refused["connection"] == nil)
            let third = try await test.connect()
            #expect(try await third.response().status == 503)
            try await third.waitForEnd()
            test.store.uploadGate.open()
            #expect(try await first.response().status == 201)
            #expect(try await second.exchange(Self.get("/health/live")).status == 200)
        }
    }

    @Test("a shutdown closes idle connections at once and lets an upload in flight finish")
    func gracefulShutdown() async throws {
        let store = MemoryFileStore()
        let server = try await HTTPServer.bind(
            to: HostPort(host: "127.0.0.1", port: 0), responder: TestServer.router(store: store),
            logger: .init(label: "test") { _ in LogCollector().handler() })
        let test = TestServer(store: store, server: server, log: LogCollector())
        try await withThrowingTaskGroup { group in
            group.addTask { try await server.run() }
            let idle = try await test.connect()
            #expect(try await idle.exchange(Self.get("/health/live")).status == 200)
            let busy = try await test.connect()
            busy.send(Self.upload(10) + "hello")
            try await test.eventually("the bytes arrive") { store.observations.bytesReceived == 5 }
            server.beginShutdown()
            try await idle.waitForEnd()
            try await test.eventuallyRefused()
            busy.send("world")
            let response = try await busy.response()
            #expect(response.status == 201 && response["connection"] == "close")
            busy.close()
            try await group.waitForAll()
            #expect(store.fileCount == 1)
        }
    }

    @Test("a shutdown does not wait longer than its deadline")
    func shutdownDeadline() async throws {
        var limits = HTTPLimits()
        limits.shutdownTime = .milliseconds(200)
        let store = MemoryFileStore()
        let server = try await HTTPServer.bind(
            to: HostPort(host: "127.0.0.1", port: 0), responder: TestServer.router(store: store), limits: limits,
            logger: .init(label: "test") { _ in LogCollector().handler() })
        let test = TestServer(store: store, server: server, log: LogCollector())
        try await withThrowingTaskGroup { group in
            group.addTask { try await server.run() }
            let busy = try await test.connect()
            busy.send(Self.upload(10) + "hello")
            try await test.eventually("the bytes arrive") { store.observations.bytesReceived == 5 }
            server.beginShutdown()
            try await group.waitForAll()
            try await busy.waitForEnd()
            #expect(store.fileCount == 0)
        }
    }

    @Test("what a request has done in its tasks can be told by its id")
    func requestScope() async throws {
        let route = Route(.GET, "/scope") { _, _ in
            let here = RequestScope.id ?? "none"
            let inChildTask = await withTaskGroup(of: String.self) { group in
                group.addTask { RequestScope.id ?? "none" }
                return await group.next() ?? "none"
            }
            let text = ByteBuffer(string: "\(here) \(inChildTask) ")
            return HTTPResponse(
                status: .ok,
                body: .stream(byteCount: Int64(text.readableBytes + here.utf8.count)) { writer in
                    try await writer.write(text)
                    try await writer.write(ByteBuffer(string: RequestScope.id ?? "none"))
                })
        }
        try await TestServer.run(extra: [route]) { test in
            let client = try await test.connect()
            for id in ["first", "second"] {
                let response = try await client.exchange(Self.get("/scope", "X-Request-ID: \(id)\r\n"))
                #expect(response.text == "\(id) \(id) \(id)")
            }
        }
    }

    @Test("requests have names, and nothing that a client sends forges a log line")
    func requestIdentifiers() async throws {
        try await TestServer.run { test in
            let client = try await test.connect()
            #expect(try await client.exchange(Self.get("/health/live", "X-Request-ID: my.id_1-A\r\n"))["x-request-id"] == "my.id_1-A")
            for bad in ["with space", "a\u{e9}", String(repeating: "x", count: 65), "", "<script>"] {
                let id = try await client.exchange(Self.get("/health/live", "X-Request-ID: \(bad)\r\n"))["x-request-id"]
                #expect(id != nil && id != bad && UUIDv7(id ?? "") != nil)
            }
            _ = try await client.exchange(Self.get("/files/%0d%0ainfo%20forged%E2%80%A8?x=%1B"))
            client.send("POST /upload?name=a%0Ainfo+forged HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n")
            #expect(try await client.response().status == 201)
            try await test.eventually("all are logged") { test.log.lines.count { $0.contains("request_id=") } >= 8 }
            #expect(
                test.log.lines.contains {
                    $0.hasPrefix("info request ") && $0.contains("request_id=my.id_1-A") && $0.contains("route=/health/live")
                        && $0.contains("status=200")
                })
            for line in test.log.lines { #expect(!line.unicodeScalars.contains { $0.value < 0x20 || $0.value == 0x2028 }) }
        }
    }
}

private final class Flag: Sendable {
    private let state = Mutex(false)
    var isRaised: Bool { state.withLock { $0 } }
    func raise() { state.withLock { $0 = true } }
}

import Core
import FoundationEssentials
import HTTPEdge
import Logging
import Metadata
import NIOCore
import NIOHTTP1
import ObjectStore
import RESTAPI
import Synchronization
import Testing

/// The routes without a socket: what goes in, what comes out.
@Suite("Routes")
struct RouteTests {
    struct Answer {
        let status: UInt
        let headers: HTTPHeaders
        let body: ByteBuffer
        let route: String?

        var json: [String: JSON] { get throws { try JSONDecoder().decode([String: JSON].self, from: Data(body.readableBytesView)) } }
    }

    enum JSON: Decodable, Equatable {
        case null, truth(Bool), number(Int), text(String), list([JSON]), object([String: JSON])

        init(from decoder: any Decoder) throws {
            let container = try decoder.singleValueContainer()
            if container.decodeNil() {
                self = .null
            } else if let value = try? container.decode(Bool.self) {
                self = .truth(value)
            } else if let value = try? container.decode(Int.self) {
                self = .number(value)
            } else if let value = try? container.decode(String.self) {
                self = .text(value)
            } else if let value = try? container.decode([JSON].self) {
                self = .list(value)
            } else {
                self = .object(try container.decode([String: JSON].self))
            }
        }
    }

    static func ask(
        _ method: HTTPMethod, _ target: String, of store: MemoryFileStore, headers: [(String, String)] = [], body: String = "",
        rest: RESTLimits = RESTLimits()
    ) async throws -> Answer {
        let router = TestServer.router(store: store, rest: rest)
        var fields = HTTPHeaders(headers)
        if !fields.contains(name: "content-length") { fields.add(name: "Content-Length", value: String(body.utf8.count)) }
        let request = HTTPRequest(
            id: "id", method: method, target: RequestTarget(target), headers: fields, body: RequestBody([ByteBuffer(string: body)]),
            logger: Logger(label: "test"))
        var response: HTTPResponse
        do {
            response = try await router.respond(to: request)
        } catch {
            response = router.response(to: error, for: FailedRequest(id: "id", target: request.target))
        }
        var bytes = ByteBuffer()
        switch response.body {
        case .bytes(let body): bytes = body
        case .stream(let byteCount, let produce):
            let collected = Collected()
            try await produce(ResponseBodyWriter { collected.append($0) })
            bytes = collected.bytes
            #expect(Int64(bytes.readableBytes) == byteCount)
        case .empty, .headOnly: break
        }
        return Answer(status: response.status.code, headers: response.headers, body: bytes, route: response.route)
    }

    private static func form(_ parts: String...) -> String {
        parts.map { "--b\r\nContent-Disposition: form-data; \($0)\r\n" }.joined() + "--b--\r\n"
    }

    private static let formType = [("Content-Type", "multipart/form-data; boundary=b")]

    @Test("an uploaded file is described, found, listed and deleted")
    func lifeOfAFile() async throws {
        let store = MemoryFileStore()
        let body = Self.form("name=\"file\"; filename=\"a.txt\"\r\nContent-Type: text/plain\r\n\r\nhello")
        let created = try await Self.ask(.POST, "/upload", of: store, headers: Self.formType, body: body)
        #expect(created.status == 201)
        guard case .text(let id)? = try created.json["fileID"] else { throw StoreError.shuttingDown }
        #expect(created.headers["location"] == ["/download/\(id)"])
        #expect(
            try created.json == [
                "fileID": .text(id), "name": .text("a.txt"), "size": .number(5), "contentType": .text("text/plain"),
                "etag": .text("5d41402abc4b2a76b9719d911017c592"), "checksum": .text("crc32c:9a71bb4c"),
                "createdAt": .text("2026-01-02T03:04:05.678Z"), "storageClass": .null,
            ])
        let described = try await Self.ask(.GET, "/files/\(id)", of: store)
        #expect(try described.json == created.json)
        #expect(described.route == "/files/{fileID}")
        let listed = try await Self.ask(.GET, "/files", of: store)
        #expect(try listed.json == ["files": .list([.object(try created.json)]), "nextCursor": .null])
        #expect(try await Self.ask(.DELETE, "/files/\(id)", of: store).status == 204)
        #expect(try await Self.ask(.DELETE, "/files/\(id)", of: store).status == 404)
        #expect(try await Self.ask(.GET, "/download/\(id)", of: store).status == 404)
    }

    @Test("several files of one form come back as a list, other fields are ignored")
    func severalFiles() async throws {
        let store = MemoryFileStore()
        let body = Self.form(
            "name=file; filename=one\r\n\r\n1", "name=note\r\n\r\nignored", "name=file; filename=\"../../etc/passwd\"\r\n\r\n",
            "name=file\r\n\r\n3")
        let answer = try await Self.ask(.POST, "/upload", of: store, headers: Self.formType, body: body)
        #expect(answer.status == 201)
        guard case .list(let files)? = try answer.json["files"] else { throw StoreError.shuttingDown }
        let names = files.map { file -> JSON? in if case .object(let members) = file { members["name"] } else { nil } }
        #expect(names == [.text("one"), .text("passwd"), .null])
        #expect(store.fileCount == 3)
    }

    @Test(
        "a raw body is a file, its name from the query or from Content-Disposition",
        arguments: [
            ("/upload", [], "{}", nil, "application/octet-stream"),
            ("/upload?name=a%2Fb.txt", [("Content-Type", "text/plain; charset=utf-8")], "", "b.txt", "text/plain; charset=utf-8"),
            (
                "/upload", [("Content-Disposition", "attachment; filename*=UTF-8''n%C3%AF.txt"), ("Content-Type", "a/b")], "x", "nï.txt",
                "a/b"
            ),
        ] as [(String, [(String, String)], String, String?, String)])
    func rawBody(target: String, headers: [(String, String)], body: String, name: String?, type: String) async throws {
        let store = MemoryFileStore()
        let answer = try await Self.ask(.POST, target, of: store, headers: headers, body: body)
        #expect(answer.status == 201)
        #expect(try answer.json["name"] == name.map { .text($0) } ?? .null)
        #expect(try answer.json["contentType"] == .text(type))
        #expect(try answer.json["size"] == .number(body.utf8.count))
    }

    @Test(
        "a broken upload is refused, and nothing of it stays",
        arguments: [
            ("multipart/form-data; boundary=b", "--b--\r\n", 400, "no-file"),
            ("multipart/form-data; boundary=b", form("name=other; filename=x\r\n\r\nx"), 400, "no-file"),
            ("multipart/form-data", form("name=file\r\n\r\nx"), 400, "malformed-upload"),
            ("multipart/form-data; boundary=\"\"", form("name=file\r\n\r\nx"), 400, "malformed-upload"),
            ("multipart/form-data; boundary=wrong", form("name=file\r\n\r\nx"), 400, "malformed-upload"),
            ("multipart/form-data; boundary=b", String(form("name=file\r\n\r\nx").dropLast(6)), 400, "malformed-upload"),
            ("multipart/form-data; boundary=b", form("name=file\r\n\r\nx", "nothing\r\n\r\ny"), 400, "malformed-upload"),
            ("multipart/form-data; boundary=b", form("name=file\r\nContent-Type: what\r\n\r\nx"), 400, "malformed-upload"),
            (
                "multipart/form-data; boundary=b", form("name=file\r\n\r\n1", "name=file\r\n\r\n2", "name=file\r\n\r\n3"), 413,
                "too-many-files"
            ),
            (
                "multipart/form-data; boundary=b", form("name=file\r\n\r\n1", "name=x\r\n\r\n" + String(repeating: "x", count: 101)), 413,
                "form-too-large"
            ),
            ("no type", "x", 400, "malformed-upload"),
            ("a/b", String(repeating: "x", count: 1_001), 413, "upload-too-large"),
        ] as [(String, String, UInt, String)])
    func brokenUploads(type: String, body: String, status: UInt, kind: String) async throws {
        let store = MemoryFileStore()
        var limits = RESTLimits()
        limits.filesPerUpload = 2
        limits.ignoredFieldBytes = 100
        limits.uploadBytes = 1_000
        // Chunked, so that its length does not tell.
        for headers in [[("Content-Type", type)], [("Content-Type", type), ("Content-Length", "")]] {
            let answer = try await Self.ask(.POST, "/upload", of: store, headers: headers, body: body, rest: limits)
            #expect(answer.status == status)
            #expect(answer.headers["content-type"] == ["application/problem+json"])
            #expect(try answer.json["type"] == .text("urn:chunkflow:problem:\(kind)"))
            #expect(try answer.json["requestID"] == .text("id"))
            #expect(store.fileCount == 0)
        }
    }

    @Test(
        "errors of the store have their status",
        arguments: [
            (StoreError.notEnoughNodes(available: 1, required: 2), 503, "not-enough-nodes", true),
            (.insufficientStorage(detail: "secret detail"), 507, "insufficient-storage", false),
            (.metadataFailure(detail: "secret detail"), 500, "metadata-failure", false),
            (.shuttingDown, 503, "shutting-down", true),
        ] as [(StoreError, UInt, String, Bool)])
    func storeErrors(error: StoreError, status: UInt, kind: String, retries: Bool) async throws {
        let store = MemoryFileStore()
        store.setFaults { $0.upload = error }
        let answer = try await Self.ask(.POST, "/upload", of: store, body: "x")
        #expect(answer.status == status)
        #expect(try answer.json["type"] == .text("urn:chunkflow:problem:\(kind)"))
        #expect(answer.headers.contains(name: "retry-after") == retries)
        #expect(!String(buffer: answer.body).contains("secret"))
    }

    @Test("a download has the headers that make it safe, and the bytes that were asked for")
    func download() async throws {
        let store = MemoryFileStore()
        let file = store.add(ByteBuffer(string: "0123456789"), name: "a\"é.html", contentType: "text/html")
        let target = "/download/\(file.key)"
        let whole = try await Self.ask(.GET, target, of: store)
        #expect(whole.status == 200 && String(buffer: whole.body) == "0123456789")
        #expect(whole.headers["etag"] == ["\"\(file.etag)\""])
        #expect(whole.headers["last-modified"] == ["Fri, 02 Jan 2026 03:04:05 GMT"])
        #expect(whole.headers["content-type"] == ["text/html"])
        #expect(whole.headers["content-disposition"] == ["attachment; filename=\"a__.html\"; filename*=UTF-8''a%22%C3%A9.html"])
        #expect(whole.headers["x-content-type-options"] == ["nosniff"])
        #expect(whole.headers["accept-ranges"] == ["bytes"])
        #expect(
            whole.headers["x-checksum"] == [
                file.crc32c.map { "crc32c:" + hexadecimal(withUnsafeBytes(of: $0.bigEndian, Array.init)) } ?? ""
            ])

        let part = try await Self.ask(.GET, target, of: store, headers: [("Range", "bytes=2-4")])
        #expect(part.status == 206 && String(buffer: part.body) == "234")
        #expect(part.headers["content-range"] == ["bytes 2-4/10"])
        let behind = try await Self.ask(.GET, target, of: store, headers: [("Range", "bytes=10-")])
        #expect(behind.status == 416 && behind.headers["content-range"] == ["bytes */10"])
        let stale = try await Self.ask(.GET, target, of: store, headers: [("Range", "bytes=2-4"), ("If-Range", "\"other\"")])
        #expect(stale.status == 200 && stale.body.readableBytes == 10)
        let known = try await Self.ask(.GET, target, of: store, headers: [("If-None-Match", "\"\(file.etag)\"")])
        #expect(known.status == 304 && known.body.readableBytes == 0 && known.headers["etag"] == ["\"\(file.etag)\""])
        #expect(try await Self.ask(.GET, target, of: store, headers: [("If-Match", "\"other\"")]).status == 412)
    }

    @Test(
        "an identifier that names nothing is 404, one that is none is 400, on every route",
        arguments: [
            (HTTPMethod.GET, "/download/"), (.HEAD, "/download/"), (.GET, "/files/"), (.DELETE, "/files/"),
        ])
    func identifiers(method: HTTPMethod, prefix: String) async throws {
        let store = MemoryFileStore()
        for (text, status) in [
            ("019b7ca9-8f2e-7cc1-afba-e3685963bb19", 404), ("nonsense", 400), ("..%2F..%2Fetc", 400), ("%00", 400), ("%zz", 400),
            ("019b7ca9-8f2e-7cc1-afba-e3685963bb1", 400), ("", 404), ("a/b", 404),
        ] as [(String, UInt)] {
            #expect(try await Self.ask(method, prefix + text, of: store).status == status, "\(text)")
        }
    }

    @Test("a listing goes through all files page by page")
    func listing() async throws {
        let store = MemoryFileStore()
        let keys = (0..<5).map { store.add(ByteBuffer(string: "\($0)")).key }.sorted()
        var seen: [JSON?] = []
        var target = "/files?limit=2"
        while true {
            let page = try await Self.ask(.GET, target, of: store).json
            guard case .list(let files)? = page["files"] else { break }
            seen += files.map { file -> JSON? in if case .object(let members) = file { members["fileID"] } else { nil } }
            guard case .text(let cursor)? = page["nextCursor"] else { break }
            target = "/files?limit=2&cursor=\(cursor)"
        }
        #expect(seen == keys.map { .text($0) })
        for query in ["limit=0", "limit=1001", "limit=x", "limit=%2B5", "limit=05", "limit=", "cursor=x", "limit=%zz"] {
            #expect(try await Self.ask(.GET, "/files?\(query)", of: store).status == 400, "\(query)")
        }
    }

    @Test("unknown paths are 404, other methods 405 with those allowed")
    func unknown() async throws {
        let store = MemoryFileStore()
        #expect(try await Self.ask(.GET, "/", of: store).status == 404)
        #expect(try await Self.ask(.GET, "/upload/", of: store).status == 404)
        let answer = try await Self.ask(.PUT, "/files/x", of: store)
        #expect(answer.status == 405 && answer.headers["allow"] == ["GET, HEAD, DELETE"])
        #expect(try answer.json["instance"] == .text("/files/x"))
    }

    @Test("health and cluster")
    func admin() async throws {
        let store = MemoryFileStore()
        #expect(try await Self.ask(.GET, "/health/ready", of: store).status == 200)
        let cluster = try await Self.ask(.GET, "/cluster", of: store).json
        #expect(cluster["backgroundPaused"] == .truth(false))
        #expect(
            cluster["layout"]
                == .object([
                    "version": .number(1), "partitionCount": .number(1_024), "replicas": .number(2), "writeQuorum": .number(2),
                    "storageClass": .text("replicated"),
                ]))
        #expect(cluster["objects"] == .object(["count": .number(0), "bytes": .number(12)]))
        #expect(cluster["repairQueueLength"] == .number(4))
        guard case .list(let nodes)? = cluster["nodes"], case .object(let first)? = nodes.first, case .object(let second)? = nodes.last
        else {
            throw StoreError.shuttingDown
        }
        #expect(
            first["state"] == .text("up") && first["lastSeenAt"] == .text("2026-01-02T03:04:05.678Z") && first["usedBytes"] == .number(400))
        #expect(second["state"] == .text("down") && second["lastSeenAt"] == .null)
        store.setFaults { $0.writable = .notEnoughNodes(available: 0, required: 2) }
        #expect(try await Self.ask(.GET, "/health/live", of: store).status == 200)
        #expect(try await Self.ask(.GET, "/health/ready", of: store).status == 503)
    }
}

private final class Collected: Sendable {
    private let buffer = Mutex(ByteBuffer())

    func append(_ bytes: ByteBuffer) { buffer.withLock { _ = $0.writeImmutableBuffer(bytes) } }
    var bytes: ByteBuffer { buffer.withLock { $0 } }
}

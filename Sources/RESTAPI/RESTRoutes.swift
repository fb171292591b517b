internal import Core
public import HTTPEdge
internal import Metadata
internal import NIOHTTP1
public import ObjectStore

/// The REST API over a store of files. See docs/rest-api.md.
///
///     Router(routes: RESTRoutes(store: store).routes + AdminRoutes(store: store).routes, problem: storeProblem)
public struct RESTRoutes<Store: FileStore>: Sendable {
    let store: Store
    let limits: RESTLimits

    public init(store: Store, limits: RESTLimits = RESTLimits()) {
        self.store = store
        self.limits = limits
    }

    public var routes: [Route] {
        [
            Route(.POST, "/upload") { request, _ in try await upload(request) },
            Route(.GET, "/download/{fileID}") { request, path in try await download(request, fileID: path["fileID"]) },
            Route(.HEAD, "/download/{fileID}") { request, path in try await download(request, fileID: path["fileID"]) },
            Route(.GET, "/files/{fileID}") { _, path in try await describe(fileID: path["fileID"]) },
            Route(.HEAD, "/files/{fileID}") { _, path in try await describe(fileID: path["fileID"]) },
            Route(.DELETE, "/files/{fileID}") { _, path in try await delete(fileID: path["fileID"]) },
            Route(.GET, "/files") { request, _ in try await list(request) },
            Route(.HEAD, "/files") { request, _ in try await list(request) },
        ]
    }

    /// The file of that name.
    /// - Throws: a ``Problem`` with 400 for what is no fileID, with 404 when there is no such file.
    func find(_ text: String) async throws -> ObjectRecord {
        // What the S3 API encrypted in the bucket of the files is for those whom the S3 API knows.
        guard let file = try await store.file(try parse(text)), file.attributes.encryption == nil else { throw Problem.fileNotFound(text) }
        return file
    }

    /// The file of that name, to be read.
    /// - Throws: as ``find(_:)``.
    func findToRead(_ text: String) async throws -> (file: ObjectRecord, pinned: PinnedBlobs) {
        guard let found = try await store.pinnedFile(try parse(text)), found.file.attributes.encryption == nil else {
            throw Problem.fileNotFound(text)
        }
        return found
    }

    func parse(_ text: String) throws -> FileID {
        guard let id = FileID(text) else {
            throw Problem(
                .badRequest, "malformed-file-id", title: "This is not a fileID", detail: "a fileID has the form of a UUID")
        }
        return id
    }

    private func describe(fileID: String) async throws -> HTTPResponse { try .json(FileDocument(try await find(fileID))) }

    private func delete(fileID: String) async throws -> HTTPResponse {
        guard try await store.deleteFile(try parse(fileID)) else { throw Problem.fileNotFound(fileID) }
        return HTTPResponse(status: .noContent)
    }

    private func list(_ request: HTTPRequest) async throws -> HTTPResponse {
        var limit = limits.defaultPageSize
        if let text = try request.target.queryValue("limit") {
            guard let number = Int(text), number.description == text, (1...limits.maximumPageSize).contains(number) else {
                throw Problem(
                    .badRequest, "malformed-limit", title: "This limit cannot be used",
                    detail: "limit is a number from 1 to \(limits.maximumPageSize)")
            }
            limit = number
        }
        var cursor: FileID?
        if let text = try request.target.queryValue("cursor") {
            guard let id = FileID(text) else {
                throw Problem(
                    .badRequest, "malformed-cursor", title: "This cursor cannot be used",
                    detail: "cursor is the nextCursor of an earlier page")
            }
            cursor = id
        }
        // One more than asked for tells whether there is another page.
        let files = try await store.files(after: cursor, limit: limit + 1)
        let page = files.prefix(limit)
        return try .json(FilePageDocument(files: page.map(FileDocument.init), nextCursor: files.count > limit ? page.last?.key : nil))
    }
}

extension Problem {
    static func fileNotFound(_ fileID: String) -> Problem {
        Problem(.notFound, "file-not-found", title: "There is no such file", detail: "no file has the fileID \(fileID)")
    }
}

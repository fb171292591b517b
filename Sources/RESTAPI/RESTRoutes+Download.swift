internal import Core
internal import HTTPEdge
internal import Metadata
internal import NIOCore
internal import NIOHTTP1
internal import ObjectStore

extension RESTRoutes {
    /// `GET` and `HEAD /download/{fileID}`.
    func download(_ request: HTTPRequest, fileID: String) async throws -> HTTPResponse {
        let (file, pinned) = try await findToRead(fileID)
        var headers: HTTPHeaders = [
            "ETag": "\"\(file.etag)\"",
            "Last-Modified": CalendarDate(file.createdAt).httpText,
            "Accept-Ranges": "bytes",
            // The same file forever, but it can be deleted.
            "Cache-Control": "private, no-cache",
        ]
        let preconditions = Preconditions(etag: file.etag, lastModified: file.createdAt)
        switch preconditions.evaluate(request.headers) {
        case .notModified: return HTTPResponse(status: .notModified, headers: headers)
        case .failed:
            throw Problem(.preconditionFailed, "precondition-failed", title: "The file is not the one that the request is meant for")
        case .proceed: break
        }
        headers.add(name: "Content-Type", value: file.contentType)
        headers.add(name: "Content-Disposition", value: ContentDisposition.attachment(fileName: file.fileName))
        headers.add(name: "X-Content-Type-Options", value: "nosniff")
        if let checksum = file.checksumText { headers.add(name: "X-Checksum", value: checksum) }

        // RFC 9110 14.2: only GET has ranges.
        let field = request.method == .GET && preconditions.honoursRange(request.headers) ? request.headers.first(name: "range") : nil
        switch ByteRange(field: request.headers["range"].count > 1 ? nil : field, size: file.byteCount) {
        case .whole:
            return HTTPResponse(status: .ok, headers: headers, body: body(of: file, pinned, range: 0..<file.byteCount, for: request))
        case .part(let range):
            headers.add(name: "Content-Range", value: "bytes \(range.lowerBound)-\(range.upperBound - 1)/\(file.byteCount)")
            return HTTPResponse(status: .partialContent, headers: headers, body: body(of: file, pinned, range: range, for: request))
        case .unsatisfiable:
            throw Problem(
                .rangeNotSatisfiable, "range-not-satisfiable", title: "The range lies behind the end of the file",
                detail: "the file has \(file.byteCount) bytes", fields: [.init("Content-Range", "bytes */\(file.byteCount)")])
        }
    }

    private func body(
        of file: ObjectRecord, _ pinned: PinnedBlobs, range: Range<Int64>, for request: HTTPRequest
    ) -> HTTPResponse.Body {
        let byteCount = Int64(range.count)
        if request.method == .HEAD { return .headOnly(byteCount: byteCount) }
        if range.isEmpty { return .empty }
        return .stream(byteCount: byteCount) { [store] writer in
            defer { withExtendedLifetime(pinned) {} }
            try await store.read(file, range: range) { try await writer.write($0) }
        }
    }
}

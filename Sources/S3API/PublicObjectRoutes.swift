internal import Core
public import HTTPEdge
internal import Metadata
internal import NIOHTTP1
internal import ObjectStore

/// Objects of any bucket through the REST API, which knows nobody: those that everybody may read.
public struct PublicObjectRoutes: Sendable {
    /// Reads an object: its bucket, its key, and the name of its version, nil for the latest.
    public typealias Reading =
        @Sendable (_ request: HTTPRequest, _ bucket: String, _ key: String, _ version: String?) async throws -> HTTPResponse

    private let read: Reading

    public init(_ read: @escaping Reading) { self.read = read }

    public var routes: [Route] {
        [
            Route(.GET, "/objects/{bucket}") { request, parameters in try await answer(request, parameters["bucket"]) },
            Route(.HEAD, "/objects/{bucket}") { request, parameters in try await answer(request, parameters["bucket"]) },
        ]
    }

    /// The key stands in the query: in a path its slashes would be others'.
    private func answer(_ request: HTTPRequest, _ bucket: String) async throws -> HTTPResponse {
        guard let key = try request.target.queryValue("key"), !key.isEmpty else {
            throw EdgeError.malformedRequest(detail: "the query names no key")
        }
        return try await read(request, bucket, key, try request.target.queryValue("versionId"))
    }
}

extension S3Responder {
    /// Reads an object as who has not signed may.
    /// - Throws: ``Problem``, and what the store throws.
    public func readPublicly(_ request: HTTPRequest, bucket: String, key: String, version: String?) async throws -> HTTPResponse {
        do {
            let asked = S3Request(
                request: request, address: try Address(bucket: bucket, key: key), query: QueryItems(version: version),
                operation: request.method == .HEAD ? .headObject : .getObject, document: nil, identity: .anonymous, payload: .unsigned)
            var response = try await answer(asked)
            // Whoever wrote it chose its type: no browser shall run it as ours.
            response.headers.replaceOrAdd(name: "X-Content-Type-Options", value: "nosniff")
            response.headers.replaceOrAdd(name: "Content-Security-Policy", value: "sandbox")
            return response
        } catch let error as S3Error {
            if error.code == .notModified {
                return HTTPResponse(status: .notModified, headers: HTTPHeaders(error.fields.map { ($0.name, $0.value) }))
            }
            throw PublicObjectProblem.problem(error)
        }
    }
}

/// How the REST API says that an object cannot be read.
package enum PublicObjectProblem {
    package static let notFound = Problem(.notFound, "object-not-found", title: "There is no such object")
    package static let notPublic = Problem(
        .forbidden, "object-not-public", title: "Not everybody may read the object",
        detail: "a policy or an access control list opens it; the S3 API serves it to who signs")

    static func problem(_ error: S3Error) -> Problem {
        switch error.code {
        case .noSuchBucket, .noSuchKey, .noSuchVersion, .methodNotAllowed: notFound
        case .accessDenied: notPublic
        case .preconditionFailed:
            Problem(.preconditionFailed, "precondition-failed", title: "The file is not the one that the request is meant for")
        case .invalidRange:
            Problem(
                .rangeNotSatisfiable, "range-not-satisfiable", title: "The range lies behind the end of the file",
                fields: error.fields.map { .init($0.name, $0.value) })
        default: Problem(EdgeError.malformedRequest(detail: error.message))
        }
    }
}

internal import HTTPEdge
internal import Metadata
internal import NIOCore
internal import NIOHTTP1
internal import ObjectStore

/// Requests from scripts of web pages.
extension S3Responder {
    /// What the header of an answer has, and that of an error too, because the bucket's rules are about the request's origin.
    func crossOriginFields(_ request: HTTPRequest, _ address: Address) async throws -> HTTPHeaders {
        guard let origin = request.headers.first(name: "origin"), let rules = try await crossOriginRules(address) else { return [:] }
        let method = request.headers.first(name: "access-control-request-method") ?? request.method.rawValue
        return HTTPHeaders(rules.answer(origin: origin, method: method)?.fields ?? [])
    }

    private func crossOriginRules(_ address: Address) async throws -> CrossOriginRules? {
        guard let name = address.bucket, let description = try await store.metadata.describeBucket(named: name) else { return nil }
        return description.documents[.cors].flatMap(CrossOriginRules.init(text:))
    }

    /// A browser asks whether a script may send a request. Nobody signs that, and the signature that the URL may have is for the request.
    /// - Throws: ``S3Error`` `NoSuchBucket`, `InvalidRequest`, `AccessDenied`.
    func preflight(_ call: S3Call) async throws -> HTTPResponse {
        guard let origin = call.headers.first(name: "origin") else {
            throw S3Error(.badRequest, "Insufficient information. Origin request header needed.")
        }
        guard let method = call.headers.first(name: "access-control-request-method") else {
            throw S3Error(.badRequest, "Invalid Access-Control-Request-Method: null")
        }
        let asked = call.headers["access-control-request-headers"].flatMap { $0.split(separator: ",") }.map { String($0).trimmingBlanks() }
        guard asked.count <= CrossOriginRules.maximumAsked else {
            throw S3Error(.badRequest, "A preflight asks for at most \(CrossOriginRules.maximumAsked) fields")
        }
        let rules = try await bucket(for: call).documents[.cors].flatMap(CrossOriginRules.init(text:))
        guard let answer = rules?.answer(origin: origin, method: method, asked: asked.filter { !$0.isEmpty }) else {
            throw S3Error(
                .accessForbidden,
                rules == nil ? "CORSResponse: CORS is not enabled for this bucket." : "CORSResponse: This CORS request is not allowed.")
        }
        return HTTPResponse(status: .ok, headers: HTTPHeaders(answer.fields))
    }

    // MARK: ?cors

    func getCrossOriginRules(_ call: S3Call) async throws -> HTTPResponse {
        guard let text = try await bucket(for: call).documents[.cors], let rules = CrossOriginRules(text: text) else {
            throw S3Error(.noSuchCORSConfiguration, "The CORS configuration does not exist")
        }
        return .xml(XMLWriter.document("CORSConfiguration") { rules.write(to: $0) })
    }

    func putCrossOriginRules(_ call: S3Call) async throws -> HTTPResponse {
        let bucket = try await bucket(for: call).bucket
        let rules = try CrossOriginRules(try await call.readXML("CORSConfiguration", maximum: CrossOriginRules.maximumBytes))
        try await store.metadata.setDocument(.cors, of: bucket.id, to: try rules.text())
        return HTTPResponse(status: .ok)
    }
}

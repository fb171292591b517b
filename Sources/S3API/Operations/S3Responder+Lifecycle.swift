internal import Core
internal import HTTPEdge
internal import Metadata
internal import NIOHTTP1
internal import ObjectStore
internal import SignatureV4

/// Lifecycles: `?lifecycle` of buckets, and what is told of them with objects. The store applies them.
extension S3Responder {
    func getLifecycle(_ call: S3Call) async throws -> HTTPResponse {
        guard let text = try await bucket(for: call).documents[.lifecycle] else {
            throw S3Error(.noSuchLifecycleConfiguration, "The lifecycle configuration does not exist")
        }
        return .xml(LifecycleDocument.write(try LifecycleConfiguration(document: text)))
    }

    func putLifecycle(_ call: S3Call) async throws -> HTTPResponse {
        let bucket = try await bucket(for: call).bucket
        let configuration = try LifecycleDocument.parse(try await call.readXML("LifecycleConfiguration")) {
            UUIDv7(time: time.now(), random: random).description
        }
        try await store.metadata.setDocument(.lifecycle, of: bucket.id, to: try configuration.document)
        return HTTPResponse(status: .ok)
    }

    /// Tells, in the header of an answer, when an object that is the latest version of its key expires.
    func addExpiration(of object: ObjectRecord, _ call: S3Call, to headers: inout HTTPHeaders) async throws {
        let description = try await bucket(for: call)
        guard let text = description.documents[.lifecycle],
            let (date, rule) = try lifecycles.document(text, of: description.bucket, parse: LifecycleConfiguration.init(document:))
                .expiration(of: object)
        else { return }
        headers.add(
            name: "x-amz-expiration", value: "expiry-date=\"\(CalendarDate(date).httpText)\", rule-id=\"\(uriEncoded(rule.utf8))\"")
    }
}

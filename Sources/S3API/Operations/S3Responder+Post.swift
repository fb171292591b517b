internal import Core
internal import HTTPEdge
internal import Metadata
internal import NIOCore
internal import NIOHTTP1
internal import ObjectStore
internal import SignatureV4

/// PostObject: an object that a form of a browser sends.
extension S3Responder {
    func postObject(_ call: S3Call) async throws -> HTTPResponse {
        guard let type = call.headers.first(name: "content-type"), let boundary = MultipartReader.boundary(of: type) else {
            throw S3Error(.preconditionFailed, "Bucket POST must be of the enclosure-type multipart/form-data")
        }
        guard call.identity.isAnonymous else { throw S3Error(.invalidArgument, "A form is signed by its fields, not by its header") }
        let bytes = call.request.body.makeAsyncIterator()
        let reader = MultipartReader(boundary: boundary) { try await bytes.next() }
        let form = try await PostForm.read(from: reader)
        guard let key = form["key"] else { throw S3Error(.invalidArgument, "Bucket POST must contain a field named 'key'.") }
        let (identity, policy) = try await authenticator.authenticate(form)
        try policy?.check(form, bucket: call.bucketName, at: time.now())
        let limits = policy?.lengths(upTo: settings.maximumPutBytes) ?? 0...settings.maximumPutBytes
        let write = try await admit(try call.asked.write(of: form, key: key, as: identity))
        let (object, fields) = try await put(write, body: PostBody(content: PartContent(reader: reader), limits: limits))
        return posted(object, fields, form, call)
    }

    /// The answer that the form asks for.
    private func posted(_ object: ObjectRecord, _ fields: HTTPHeaders, _ form: PostForm, _ call: S3Call) -> HTTPResponse {
        var headers = fields
        let place = "/\(call.bucketName)/\(uriEncoded(object.key.utf8, keepingSlashes: true))"
        let location = call.headers.first(name: "host").map { "http://\($0)\(place)" } ?? place
        if let target = (form["success_action_redirect"] ?? form["redirect"]).flatMap(Self.redirection) {
            let query = "bucket=\(uriEncoded(call.bucketName.utf8))&key=\(uriEncoded(object.key.utf8))&etag=%22\(object.etag)%22"
            headers.add(name: "Location", value: "\(target)\(target.contains("?") ? "&" : "?")\(query)")
            return HTTPResponse(status: .seeOther, headers: headers)
        }
        headers.add(name: "Location", value: location)
        switch form["success_action_status"] {
        case "200": return HTTPResponse(status: .ok, headers: headers)
        case "201":
            let document = XMLWriter.document("PostResponse", namespace: nil) { writer in
                writer.element("Location", location)
                writer.element("Bucket", call.bucketName)
                writer.element("Key", object.key)
                writer.element("ETag", "\"\(object.etag)\"")
            }
            return .xml(document, status: .created, headers: headers)
        default: return HTTPResponse(status: .noContent, headers: headers)
        }
    }

    /// - Returns: nil for what is no address that can stand in a header: it is as if it was not given.
    private static func redirection(_ text: String) -> String? {
        guard text.hasPrefix("http://") || text.hasPrefix("https://"), text.utf8.allSatisfy({ (0x21...0x7E).contains($0) }) else {
            return nil
        }
        return text
    }
}

extension S3Request {
    /// Of the header of a form's request, what a write looks at too.
    private static let kept = ["host", "referer", "user-agent", "origin", "x-amz-expected-bucket-owner", "x-amz-security-token"]
    /// Fields of a form that are fields of the header of a write.
    private static let fields: Set<String> = [
        "cache-control", "content-disposition", "content-encoding", "content-language", "content-md5", "content-type", "expires",
        "x-amz-storage-class", "x-amz-website-redirect-location", "x-amz-sdk-checksum-algorithm", "x-amz-checksum-algorithm",
    ]
    private static let prefixes = ["x-amz-meta-", "x-amz-server-side-encryption", "x-amz-object-lock-", "x-amz-checksum-", "x-amz-grant-"]

    /// The PutObject that does what a form asks for; without its body.
    /// - Throws: ``S3Error`` `InvalidArgument` for fields that cannot be fields of a header, `KeyTooLongError`, `InvalidURI`, and as ``Tags``.
    fileprivate func write(of form: PostForm, key: String, as identity: Identity) throws -> S3Request {
        var headers = HTTPHeaders()
        for name in Self.kept { for value in request.headers[name] { headers.add(name: name, value: value) } }
        for (name, value) in form.fields.sorted(by: { $0.key < $1.key }) {
            switch name {
            case "acl": headers.add(name: "x-amz-acl", value: try Self.checked(value, name))
            case "tagging":
                let tags = try Tags.parse(try XMLElement.parse(ByteBuffer(string: value)), maximum: Tags.maximumOfObject)
                headers.add(name: "x-amz-tagging", value: Tags.query(tags))
            case _ where Self.fields.contains(name) || Self.prefixes.contains(where: name.hasPrefix):
                guard HeaderText.isToken(name) else { throw S3Error(.invalidArgument, "A field's name cannot stand in a header") }
                headers.add(name: name, value: try Self.checked(value, name))
            default: break
            }
        }
        let write = HTTPRequest(
            id: request.id, method: .PUT, target: request.target, headers: headers, peer: request.peer, logger: request.logger)
        return S3Request(
            request: write, address: try Address(bucket: bucketName, key: key), query: try QueryItems(nil), operation: .putObject,
            document: nil, identity: identity, payload: .unsigned)
    }

    /// What is given back as a header later must not end it.
    private static func checked(_ value: String, _ name: String) throws(S3Error) -> String {
        guard value.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7F || $0 == 0x09 }) else {
            throw S3Error(.invalidArgument, "The field \(name) has a control character")
        }
        return value
    }
}

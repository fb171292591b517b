internal import Core
internal import Metadata
internal import NIOHTTP1

/// What the header of a request says of an object: what is kept with it and given back.
struct ObjectHeaders {
    /// Bytes of all names and values of user metadata.
    static let maximumMetadataBytes = 2 * 1_024
    static let defaultContentType = "binary/octet-stream"
    private static let metadataPrefix = "x-amz-meta-"
    private static let kept: Set<String> = [
        "cache-control", "content-disposition", "content-encoding", "content-language", "expires", "x-amz-website-redirect-location",
    ]

    let contentType: String
    /// By lower-case name.
    let kept: [String: String]

    /// - Throws: ``S3Error`` `MetadataTooLarge`.
    init(_ headers: HTTPHeaders) throws(S3Error) {
        let type = headers.first(name: "content-type") ?? ""
        contentType = type.isEmpty ? Self.defaultContentType : type
        var kept: [String: String] = [:]
        var metadataBytes = 0
        for (name, value) in headers {
            let name = name.lowercased()
            guard Self.kept.contains(name) || name.hasPrefix(Self.metadataPrefix) else { continue }
            // Several fields of one name are one, as HTTP has it.
            let value = kept[name].map { "\($0),\(value)" } ?? value
            if name.hasPrefix(Self.metadataPrefix) { metadataBytes += name.utf8.count - Self.metadataPrefix.utf8.count + value.utf8.count }
            kept[name] = name == "content-encoding" ? Self.withoutChunked(value) : value
        }
        guard metadataBytes <= Self.maximumMetadataBytes else { throw S3Error(.metadataTooLarge) }
        self.kept = kept.filter { $0.key != "content-encoding" || !$0.value.isEmpty }
    }

    /// `aws-chunked` is how the body travelled, not what the object is.
    private static func withoutChunked(_ encoding: String) -> String {
        let tokens = encoding.split(separator: ",").map { String($0).trimmingBlanks() }
        return tokens.contains("aws-chunked") ? tokens.filter { $0 != "aws-chunked" }.joined(separator: ", ") : encoding
    }

    /// What a version's answer has in its header, but for its length and range.
    static func response(for object: ObjectRecord) -> HTTPHeaders {
        var headers: HTTPHeaders = ["ETag": "\"\(object.etag)\"", "Accept-Ranges": "bytes", "Content-Type": object.contentType]
        for (name, value) in object.userMetadata.sorted(by: { $0.key < $1.key }) { headers.add(name: name, value: value) }
        if let tags = object.attributes.tags, !tags.isEmpty { headers.add(name: "x-amz-tagging-count", value: "\(tags.count)") }
        if let storageClass = object.attributes.storageClass { headers.add(name: "x-amz-storage-class", value: storageClass) }
        ObjectLock.add(object.attributes, to: &headers)
        return headers
    }
}

internal import HTTPEdge

/// What a request is about: the service, a bucket, or an object in it.
struct Address: Hashable {
    /// Nil for the service.
    let bucket: String?
    /// Nil for the bucket.
    let key: String?
    /// Whether the bucket is named by the host, not by the path.
    let isInHost: Bool

    /// Bytes of a key.
    static let maximumKeyBytes = 1_024

    /// - Parameters:
    ///   - host: the field `Host`.
    ///   - domains: names under which `BUCKET.NAME` is a bucket; without port.
    /// - Throws: ``S3Error`` `InvalidURI` for a path that is not well encoded or not UTF-8, `KeyTooLongError`.
    init(_ target: RequestTarget, host: String?, domains: [String]) throws(S3Error) {
        guard target.path.hasPrefix("/"), let path = RequestTarget.percentDecoded(target.path.dropFirst()) else {
            throw S3Error(.invalidURI, "The path is not well encoded UTF-8")
        }
        let key: Substring
        if let bucket = Self.virtualBucket(host: host, domains: domains) {
            self.bucket = bucket
            isInHost = true
            key = Substring(path)
        } else {
            let parts = path.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
            bucket = parts[0].isEmpty ? nil : String(parts[0])
            isInHost = false
            key = parts.count == 2 ? parts[1] : ""
        }
        try Self.check(key: key)
        self.key = key.isEmpty || bucket == nil ? nil : String(key)
    }

    /// An object, named otherwise than by a target.
    /// - Throws: ``S3Error`` `InvalidArgument` for a key without a character, `KeyTooLongError`, `InvalidURI`.
    init(bucket: String, key: String) throws(S3Error) {
        guard !key.isEmpty else { throw S3Error(.invalidArgument, "A key has at least one character") }
        try Self.check(key: key[...])
        self.bucket = bucket
        self.key = key
        isInHost = false
    }

    private static func check(key: Substring) throws(S3Error) {
        guard key.utf8.count <= maximumKeyBytes else { throw S3Error(.keyTooLong) }
        // libxml2 and SQL take a NUL; few clients can show one, and S3 has none.
        guard !key.utf8.contains(0) else { throw S3Error(.invalidURI, "A key must not contain a NUL") }
    }

    private static func virtualBucket(host: String?, domains: [String]) -> String? {
        guard var name = host?.lowercased()[...] else { return nil }
        if let colon = name.lastIndex(of: ":"), name[name.index(after: colon)...].allSatisfy(\.isNumber) { name = name[..<colon] }
        for domain in domains where name.hasSuffix("." + domain.lowercased()) {
            return String(name.dropLast(domain.count + 1))
        }
        return nil
    }
}

internal import HTTPEdge
internal import Metadata

/// The field `x-amz-copy-source`: `BUCKET/KEY`, percent-encoded, with an optional version behind it.
struct CopySource: Hashable {
    let bucket: String
    let key: String
    let version: VersionSelector

    /// - Throws: ``S3Error`` `InvalidArgument`.
    init(_ text: String) throws(S3Error) {
        var path = Substring(text)
        var version: String?
        // The version is split off before anything is decoded: keys may have question marks.
        if let mark = path.ranges(of: "?versionId=").last {
            version = String(path[mark.upperBound...])
            path = path[..<mark.lowerBound]
        }
        if path.hasPrefix("/") { path = path.dropFirst() }
        // As in a query: there are clients that write a blank as a plus sign, and none that writes a plus sign as it is.
        guard let decoded = RequestTarget.percentDecoded(path.replacing("+", with: " ")) else { throw Self.malformed }
        let parts = decoded.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        guard parts.count == 2, !parts[0].isEmpty, !parts[1].isEmpty else { throw Self.malformed }
        bucket = String(parts[0])
        key = String(parts[1])
        self.version = try VersionName.selector(version)
    }

    private static let malformed = S3Error(.invalidArgument, "x-amz-copy-source must be BUCKET/KEY, percent-encoded")
}

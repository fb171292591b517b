internal import HTTPEdge
internal import Metadata
internal import SignatureV4

/// Tags of buckets and objects ("Object tagging" in the S3 user guide).
enum Tags {
    static let maximumOfObject = 10
    static let maximumOfBucket = 50
    private static let maximumKeyLength = 128
    private static let maximumValueLength = 256

    /// From the field `x-amz-tagging`: the form of a query.
    /// - Throws: ``S3Error`` `InvalidTag`, `InvalidArgument`.
    static func parse(query text: String, maximum: Int = maximumOfObject) throws(S3Error) -> [ObjectAttributes.Tag] {
        let items: QueryItems
        do {
            items = try QueryItems(text)
        } catch {
            throw S3Error(.invalidArgument, "The x-amz-tagging is not well encoded")
        }
        return try checked(items.items.map { ObjectAttributes.Tag(key: $0.name, value: $0.value) }, maximum: maximum)
    }

    /// As ``parse(query:maximum:)`` reads it.
    static func query(_ tags: [ObjectAttributes.Tag]) -> String {
        tags.map { "\(uriEncoded($0.key.utf8))=\(uriEncoded($0.value.utf8))" }.joined(separator: "&")
    }

    /// From a document `Tagging`.
    /// - Throws: ``S3Error`` `MalformedXML`, `InvalidTag`.
    static func parse(_ element: XMLElement, maximum: Int) throws(S3Error) -> [ObjectAttributes.Tag] {
        guard element.name == "Tagging", let set = element["TagSet"] else { throw S3Error(.malformedXML) }
        var tags: [ObjectAttributes.Tag] = []
        for tag in set.all("Tag") {
            guard let key = tag["Key"]?.text, let value = tag["Value"]?.text else { throw S3Error(.malformedXML) }
            tags.append(ObjectAttributes.Tag(key: key, value: value))
        }
        return try checked(tags, maximum: maximum)
    }

    private static func checked(_ tags: [ObjectAttributes.Tag], maximum: Int) throws(S3Error) -> [ObjectAttributes.Tag] {
        guard tags.count <= maximum else { throw S3Error(.invalidTag, "There may be \(maximum) tags at most") }
        for tag in tags {
            guard (1...maximumKeyLength).contains(tag.key.unicodeScalars.count), tag.value.unicodeScalars.count <= maximumValueLength else {
                throw S3Error(.invalidTag, "The TagKey or TagValue you have provided is too long, or empty")
            }
        }
        guard Set(tags.map(\.key)).count == tags.count else {
            throw S3Error(.invalidTag, "Cannot provide multiple Tags with the same key")
        }
        return tags.sorted { $0.key < $1.key }
    }

    static func write(_ tags: [ObjectAttributes.Tag], to writer: borrowing XMLWriter) {
        writer.element("TagSet") { writer in
            for tag in tags {
                writer.element("Tag") { writer in
                    writer.element("Key", tag.key)
                    writer.element("Value", tag.value)
                }
            }
        }
    }
}

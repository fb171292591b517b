internal import Core
internal import FoundationEssentials
internal import HTTPEdge

/// What whoever signed a form allows to be sent with it ("POST policy" in the S3 API reference).
struct PostPolicy: Equatable {
    enum Condition: Equatable {
        case equals(field: String, value: String)
        case startsWith(field: String, prefix: String)
        /// Bytes of the file.
        case length(ClosedRange<Int64>)
    }

    /// Fields that need no condition: those that sign, and digests of what is signed for.
    private static let freeFields: Set<String> = ["awsaccesskeyid", "signature", "x-amz-signature", "policy", "file"]
    private static let freePrefixes = ["x-ignore-", "x-amz-checksum-"]

    let expiration: Timestamp
    let conditions: [Condition]

    /// - Parameter text: base64 of JSON.
    /// - Throws: ``S3Error`` `InvalidPolicyDocument`.
    init(_ text: String) throws(S3Error) {
        guard let data = Data(base64Encoded: text, options: .ignoreUnknownCharacters) else {
            throw S3Error(.invalidPolicyDocument, "Invalid Policy: it is not base64")
        }
        let document: Document
        do {
            document = try JSONDecoder().decode(Document.self, from: data)
        } catch {
            throw S3Error(.invalidPolicyDocument, "Invalid Policy: it needs an expiration and conditions, in JSON")
        }
        guard let expiration = CalendarDate.timestamp(internetText: document.expiration) else {
            throw S3Error(.invalidPolicyDocument, "Invalid Policy: Invalid 'expiration' value")
        }
        self.expiration = expiration
        var conditions: [Condition] = []
        for item in document.conditions { conditions += try item.conditions() }
        self.conditions = conditions
        let lengths = lengths
        guard lengths.lower <= lengths.upper else {
            throw S3Error(.invalidPolicyDocument, "Invalid Policy: no file can be within all of its content-length-ranges")
        }
    }

    private var lengths: (lower: Int64, upper: Int64) {
        conditions.reduce((0, .max)) { found, condition in
            guard case .length(let range) = condition else { return found }
            return (max(found.0, range.lowerBound), min(found.1, range.upperBound))
        }
    }

    /// Bytes that the file may have.
    /// - Parameter maximum: that it may have without a policy.
    func lengths(upTo maximum: Int64) -> ClosedRange<Int64> {
        let (lower, upper) = lengths
        return min(lower, maximum)...min(upper, maximum)
    }

    /// Holds a form against the policy.
    /// - Parameter bucket: to which it is sent.
    /// - Throws: ``S3Error`` `AccessDenied`.
    func check(_ form: PostForm, bucket: String, at time: Timestamp) throws(S3Error) {
        guard time < expiration else { throw S3Error(.accessDenied, "Invalid according to Policy: Policy expired.") }
        var fields = form.fields
        if let named = fields["bucket"], named != bucket { throw S3Error(.accessDenied, "Invalid according to Policy: another bucket") }
        fields["bucket"] = bucket
        var mentioned: Set<String> = []
        for condition in conditions {
            switch condition {
            case .equals(let field, let value):
                mentioned.insert(field)
                guard fields[field] ?? "" == value else { throw Self.failed(field) }
            case .startsWith(let field, let prefix):
                mentioned.insert(field)
                guard (fields[field] ?? "").utf8.starts(with: prefix.utf8) else { throw Self.failed(field) }
            case .length: break
            }
        }
        for field in fields.keys.sorted() where !mentioned.contains(field) && !Self.freeFields.contains(field) {
            guard Self.freePrefixes.contains(where: field.hasPrefix) else {
                throw S3Error(.accessDenied, "Invalid according to Policy: Extra input fields: \(field)")
            }
        }
    }

    private static func failed(_ field: String) -> S3Error {
        S3Error(.accessDenied, "Invalid according to Policy: Policy Condition failed: \(field)")
    }
}

/// The JSON of a policy. Its two names are as they are written here; those of fields and operators may have any case.
private struct Document: Decodable {
    let expiration: String
    let conditions: [Item]

    enum Item: Decodable {
        case pairs([String: String])
        case list([Scalar])

        init(from decoder: any Decoder) throws {
            let container = try decoder.singleValueContainer()
            if let pairs = try? container.decode([String: String].self) {
                self = .pairs(pairs)
            } else {
                self = .list(try container.decode([Scalar].self))
            }
        }

        /// - Throws: ``S3Error`` `InvalidPolicyDocument`.
        func conditions() throws(S3Error) -> [PostPolicy.Condition] {
            switch self {
            case .pairs(let pairs):
                if pairs.isEmpty { throw Self.malformed }
                return pairs.map { .equals(field: $0.key.lowercased(), value: $0.value) }
            case .list(let items):
                guard items.count == 3 else { throw Self.malformed }
                return [try Self.condition(items[0].text.lowercased(), items[1].text, items[2].text)]
            }
        }

        private static func condition(_ name: String, _ first: String, _ second: String) throws(S3Error) -> PostPolicy.Condition {
            if name == "content-length-range" {
                guard let lower = Int64(first), let upper = Int64(second), 0 <= lower, lower <= upper else { throw malformed }
                return .length(lower...upper)
            }
            guard first.hasPrefix("$") else { throw malformed }
            let field = first.dropFirst().lowercased()
            switch name {
            case "eq": return .equals(field: field, value: second)
            case "starts-with": return .startsWith(field: field, prefix: second)
            default: throw malformed
            }
        }

        private static let malformed = S3Error(.invalidPolicyDocument, "Invalid Policy: a condition is not well formed")
    }

    /// A text, or a whole number as one.
    struct Scalar: Decodable {
        let text: String

        init(from decoder: any Decoder) throws {
            let container = try decoder.singleValueContainer()
            if let text = try? container.decode(String.self) {
                self.text = text
            } else {
                text = String(try container.decode(Int64.self))
            }
        }
    }
}

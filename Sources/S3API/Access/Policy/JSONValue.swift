internal import FoundationEssentials

/// A document of JSON, taken apart by hand: a policy has elements that may be a text or a list of texts.
enum JSONValue: Decodable, Equatable {
    case null
    case truth(Bool)
    case number(Double)
    case text(String)
    case list([JSONValue])
    case object([String: JSONValue])

    /// - Returns: nil for what is not JSON.
    static func parse(_ text: String) -> JSONValue? { try? JSONDecoder().decode(JSONValue.self, from: Data(text.utf8)) }

    init(from decoder: any Decoder) throws {
        if let container = try? decoder.container(keyedBy: Name.self) {
            var members: [String: JSONValue] = [:]
            for name in container.allKeys { members[name.stringValue] = try container.decode(JSONValue.self, forKey: name) }
            self = .object(members)
        } else if var container = try? decoder.unkeyedContainer() {
            var elements: [JSONValue] = []
            while !container.isAtEnd { elements.append(try container.decode(JSONValue.self)) }
            self = .list(elements)
        } else {
            self = try Self.scalar(try decoder.singleValueContainer())
        }
    }

    private static func scalar(_ container: any SingleValueDecodingContainer) throws -> JSONValue {
        if container.decodeNil() { return .null }
        if let truth = try? container.decode(Bool.self) { return .truth(truth) }
        if let number = try? container.decode(Double.self) { return .number(number) }
        return .text(try container.decode(String.self))
    }

    private struct Name: CodingKey {
        let stringValue: String
        let intValue: Int? = nil

        init(stringValue: String) { self.stringValue = stringValue }

        init?(intValue: Int) { return nil }
    }

    /// One text, or a list of texts; nil for anything else.
    var texts: [String]? {
        switch self {
        case .text(let text): return [text]
        case .list(let elements):
            let texts = elements.compactMap { element -> String? in if case .text(let text) = element { text } else { nil } }
            return texts.count == elements.count ? texts : nil
        default: return nil
        }
    }

    /// As ``texts``, numbers and truths as JSON writes them.
    var scalars: [String]? {
        switch self {
        case .text(let text): return [text]
        case .truth(let truth): return [truth ? "true" : "false"]
        case .number(let number): return [Int64(exactly: number).map(String.init) ?? String(number)]
        case .list(let elements):
            let lists = elements.compactMap(\.scalars)
            return lists.count == elements.count ? lists.flatMap { $0 } : nil
        case .null, .object: return nil
        }
    }
}

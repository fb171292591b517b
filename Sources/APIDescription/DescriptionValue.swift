internal import Yams

/// A part of the document. Unlike a dictionary, an object has its members in the order in which they were written.
enum DescriptionValue: Sendable {
    case null
    case truth(Bool)
    /// As it was written.
    case number(String)
    case text(String)
    case list([DescriptionValue])
    case object([Member])

    struct Member: Sendable {
        let name: String
        let value: DescriptionValue
    }

    /// - Throws: ``APIDescriptionError``.
    init(yaml: String) throws {
        let root: Node?
        do {
            root = try Yams.compose(yaml: yaml)
        } catch {
            throw APIDescriptionError.malformed(detail: "\(error)")
        }
        guard let root else { throw APIDescriptionError.malformed(detail: "the document is empty") }
        self = try Self.value(of: root)
    }

    private static func value(of node: Node) throws -> DescriptionValue {
        switch node {
        case .scalar(let scalar): return value(of: scalar, in: node)
        case .sequence(let nodes): return .list(try nodes.map(value))
        case .mapping(let pairs):
            return .object(
                try pairs.map { key, value in
                    guard let name = key.scalar?.string else { throw APIDescriptionError.malformed(detail: "a key is no text") }
                    return Member(name: name, value: try self.value(of: value))
                })
        case .alias: throw APIDescriptionError.malformed(detail: "aliases are not understood")
        }
    }

    /// What is quoted is text; of the rest, what JSON has words for.
    private static func value(of scalar: Node.Scalar, in node: Node) -> DescriptionValue {
        guard scalar.style == .plain || scalar.style == .any else { return .text(scalar.string) }
        switch scalar.string {
        case "null", "~", "": return .null
        case "true": return .truth(true)
        case "false": return .truth(false)
        case let text: return isNumber(text) ? .number(text) : .text(text)
        }
    }

    /// Whether JSON writes a number like this.
    private static func isNumber(_ text: String) -> Bool {
        text.wholeMatch(of: /-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?/) != nil
    }

    // MARK: Reading

    subscript(name: String) -> DescriptionValue? { members.first { $0.name == name }?.value }

    /// The member at the end of a path of names.
    subscript(path names: String...) -> DescriptionValue? { names.reduce(self) { $0?[$1] } }

    /// Of an object; else none.
    var members: [Member] {
        guard case .object(let members) = self else { return [] }
        return members
    }

    /// Of a list; else none.
    var elements: [DescriptionValue] {
        guard case .list(let elements) = self else { return [] }
        return elements
    }

    /// Of text, numbers and truth values; nil for the rest.
    var text: String? {
        switch self {
        case .text(let text), .number(let text): text
        case .truth(let truth): "\(truth)"
        case .null, .list, .object: nil
        }
    }

    // MARK: Writing

    /// As JSON on one line.
    var json: String {
        var text = ""
        write(to: &text, indentation: nil)
        return text
    }

    /// As JSON for people.
    var indentedJSON: String {
        var text = ""
        write(to: &text, indentation: 0)
        return text
    }

    private func write(to text: inout String, indentation: Int?) {
        switch self {
        case .null: text += "null"
        case .truth(let truth): text += truth ? "true" : "false"
        case .number(let digits): text += digits
        case .text(let content): Self.write(content, to: &text)
        case .list(let elements):
            Self.write(elements, between: ("[", "]"), to: &text, indentation) { element, text, indentation in
                element.write(to: &text, indentation: indentation)
            }
        case .object(let members):
            Self.write(members, between: ("{", "}"), to: &text, indentation) { member, text, indentation in
                Self.write(member.name, to: &text)
                text += indentation == nil ? ":" : ": "
                member.value.write(to: &text, indentation: indentation)
            }
        }
    }

    private static func write<Element>(
        _ elements: [Element], between brackets: (String, String), to text: inout String, _ indentation: Int?,
        _ write: (Element, inout String, Int?) -> Void
    ) {
        text += brackets.0
        let inner = indentation.map { $0 + 2 }
        for (index, element) in elements.enumerated() {
            if index > 0 { text += "," }
            if let inner { text += "\n" + String(repeating: " ", count: inner) }
            write(element, &text, inner)
        }
        if let indentation, !elements.isEmpty { text += "\n" + String(repeating: " ", count: indentation) }
        text += brackets.1
    }

    private static func write(_ content: String, to text: inout String) {
        text += "\""
        for scalar in content.unicodeScalars {
            switch scalar {
            case "\"": text += "\\\""
            case "\\": text += "\\\\"
            case "\n": text += "\\n"
            case _ where scalar.value < 0x20:
                let digits = String(scalar.value, radix: 16)
                text += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            default: text.unicodeScalars.append(scalar)
            }
        }
        text += "\""
    }
}

extension DescriptionValue {
    /// One operation of the document, with its place.
    struct DescribedOperation {
        /// In capitals.
        let method: String
        let path: String
        /// What all methods of the path take.
        let sharedParameters: [DescriptionValue]
        let body: DescriptionValue
    }

    private static let methods: Set<String> = ["get", "head", "post", "put", "patch", "delete", "options", "trace"]

    /// In the order in which they were written.
    var operations: [DescribedOperation] {
        (self["paths"]?.members ?? []).flatMap { path in
            path.value.members.filter { Self.methods.contains($0.name) }.map { operation in
                DescribedOperation(
                    method: operation.name.uppercased(), path: path.name, sharedParameters: path.value["parameters"]?.elements ?? [],
                    body: operation.value)
            }
        }
    }

    /// What `{"$ref": "#/a/b"}` stands for in this document; another value stands for itself.
    func resolved(_ value: DescriptionValue) -> DescriptionValue {
        guard let reference = value["$ref"]?.text, reference.hasPrefix("#/") else { return value }
        let names = reference.dropFirst(2).split(separator: "/").map(String.init)
        return names.reduce(self) { $0?[$1] } ?? value
    }
}

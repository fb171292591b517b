internal import Yams

/// The OpenAPI description of what the HTTP listener of a distributor takes and answers.
///
/// It is written in one place, `openapi.yaml` beside this file, which is part of the executable. Parsed once, when first asked for;
/// safe to use from any thread.
public struct APIDescription: Sendable {
    /// A method of a path: what a route answers.
    public struct Operation: Hashable, Sendable, CustomStringConvertible {
        /// In capitals.
        public let method: String
        /// With parameters in braces.
        public let path: String

        public init(method: String, path: String) {
            self.method = method
            self.path = path
        }

        public var description: String { "\(method) \(path)" }
    }

    /// As it is in the sources, in UTF-8.
    public static let yaml: [UInt8] = PackageResources.openapi_yaml

    private static let parsed = Result { APIDescription(try DescriptionValue(yaml: String(decoding: yaml, as: UTF8.self))) }

    /// - Throws: ``APIDescriptionError``: a mistake in `openapi.yaml`, which tests find.
    public static func load() throws -> APIDescription { try parsed.get() }

    /// The same document as JSON, its members in the same order.
    public let json: String
    /// The same document as a page for people: HTML that needs no script and nothing else, from this server or another.
    public let page: DescriptionPage
    /// What the document describes.
    public let operations: Set<Operation>

    init(_ document: DescriptionValue) {
        json = document.json
        page = DescriptionPage(document)
        operations = Set(document.operations.map { Operation(method: $0.method, path: $0.path) })
    }
}

/// What is wrong with the description.
public enum APIDescriptionError: Error, Hashable, Sendable {
    /// It is not the YAML that this understands: scalars, sequences and mappings with keys of text.
    case malformed(detail: String)
}

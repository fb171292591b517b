internal import FoundationEssentials

/// Which web pages' scripts may use a bucket, and how ("Using cross-origin resource sharing").
struct CrossOriginRules: Codable, Equatable {
    struct Rule: Codable, Equatable {
        var id: String?
        let methods: [String]
        /// With one `*` at most.
        let origins: [String]
        /// Names of fields, with one `*` at most, in any case.
        let headers: [String]
        let exposed: [String]
        var maximumAge: Int?

        /// The answer to a request from `origin`, when the rule is about it.
        /// - Parameter asked: names of fields that a preflight asks for.
        func answer(origin: String, method: String, asked: [String] = []) -> Answer? {
            guard methods.contains(method), let match = origins.first(where: { Self.matches($0, origin) }) else { return nil }
            if !asked.isEmpty {
                let patterns = headers.map { $0.lowercased() }
                let names = asked.map { $0.lowercased() }
                guard names.allSatisfy({ name in patterns.contains { Self.matches($0, name) } }) else { return nil }
            }
            return Answer(rule: self, origin: match == "*" ? "*" : origin, asked: asked)
        }

        private static func matches(_ pattern: String, _ text: String) -> Bool {
            guard let star = pattern.firstIndex(of: "*") else { return pattern == text }
            let (head, tail) = (pattern[..<star], pattern[pattern.index(after: star)...])
            return text.utf8.count >= head.utf8.count + tail.utf8.count && text.hasPrefix(head) && text.hasSuffix(tail)
        }
    }

    /// What a matching rule puts into an answer's header.
    struct Answer: Equatable {
        let rule: Rule
        /// The request's, or `*` where anybody's is allowed.
        let origin: String
        let asked: [String]

        var fields: [(name: String, value: String)] {
            var fields = [
                ("Access-Control-Allow-Origin", origin), ("Access-Control-Allow-Methods", rule.methods.joined(separator: ", ")),
            ]
            if !asked.isEmpty { fields.append(("Access-Control-Allow-Headers", asked.joined(separator: ", ").lowercased())) }
            if !rule.exposed.isEmpty { fields.append(("Access-Control-Expose-Headers", rule.exposed.joined(separator: ", "))) }
            if let age = rule.maximumAge { fields.append(("Access-Control-Max-Age", "\(age)")) }
            if origin != "*" { fields.append(("Access-Control-Allow-Credentials", "true")) }
            fields.append(("Vary", "Origin, Access-Control-Request-Headers, Access-Control-Request-Method"))
            return fields
        }
    }

    static let maximumRules = 100
    /// Bytes of the document.
    static let maximumBytes = 64 * 1_024
    /// Fields that a preflight can ask for: each is held against each of a rule.
    static let maximumAsked = 100
    private static let methods: Set<String> = ["GET", "PUT", "HEAD", "POST", "DELETE"]

    let rules: [Rule]

    /// The answer of the first rule that is about a request.
    func answer(origin: String, method: String, asked: [String] = []) -> Answer? {
        for rule in rules {
            if let answer = rule.answer(origin: origin, method: method, asked: asked) { return answer }
        }
        return nil
    }

    // MARK: As it is kept

    /// - Returns: nil for what cannot be read: nobody is let in then.
    init?(text: String) {
        guard let rules = try? JSONDecoder().decode(CrossOriginRules.self, from: Data(text.utf8)) else { return nil }
        self = rules
    }

    func text() throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return String(decoding: try encoder.encode(self), as: UTF8.self)
    }

    // MARK: XML

    /// - Throws: ``S3Error`` `MalformedXML`, `InvalidRequest`.
    init(_ element: XMLElement) throws(S3Error) {
        let given = element.all("CORSRule")
        guard (1...Self.maximumRules).contains(given.count) else { throw S3Error(.malformedXML) }
        var rules: [Rule] = []
        for rule in given {
            let values = { (name: String) in rule.all(name).map(\.trimmed) }
            let (methods, origins, headers) = (values("AllowedMethod"), values("AllowedOrigin"), values("AllowedHeader"))
            guard !methods.isEmpty, !origins.isEmpty else { throw S3Error(.malformedXML) }
            if let method = methods.first(where: { !Self.methods.contains($0) }) {
                throw S3Error(.invalidRequest, "Found unsupported HTTP method in CORS config. Unsupported method is \(method)")
            }
            for pattern in origins + headers where pattern.count(where: { $0 == "*" }) > 1 {
                throw S3Error(.invalidRequest, "\(pattern) can not have more than one wildcard.")
            }
            var maximumAge: Int?
            if let text = rule.value("MaxAgeSeconds") {
                guard let seconds = Int(text), seconds >= 0 else { throw S3Error(.malformedXML) }
                maximumAge = seconds
            }
            rules.append(
                Rule(
                    id: rule.value("ID"), methods: methods, origins: origins, headers: headers, exposed: values("ExposeHeader"),
                    maximumAge: maximumAge))
        }
        self.rules = rules
    }

    func write(to writer: borrowing XMLWriter) {
        for rule in rules {
            writer.element("CORSRule") { writer in
                writer.optional("ID", rule.id)
                for method in rule.methods { writer.element("AllowedMethod", method) }
                for origin in rule.origins { writer.element("AllowedOrigin", origin) }
                for header in rule.headers { writer.element("AllowedHeader", header) }
                for header in rule.exposed { writer.element("ExposeHeader", header) }
                if let age = rule.maximumAge { writer.element("MaxAgeSeconds", age) }
            }
        }
    }
}

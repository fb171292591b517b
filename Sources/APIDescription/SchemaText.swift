/// JSON schemas as a reader wants them: in a line, or as a table of members.
enum SchemaText {
    /// What a value of the schema is, in a line. References become links to the schema of that name.
    static func line(_ schema: DescriptionValue) -> HTML {
        if let name = schema["$ref"]?.text?.split(separator: "/").last.map(String.init) {
            return "<a href=\"#schema-\(name)\">\(name)</a>"
        }
        if let alternatives = schema["oneOf"] ?? schema["anyOf"] { return joined(alternatives.elements.map(line), by: " or ") }
        if let constant = schema["const"] { return "<code>\(constant.json)</code>" }
        if let values = schema["enum"]?.elements { return joined(values.map { "<code>\($0.text ?? $0.json)</code>" }, by: ", ") }
        if let items = schema["items"] { return "list of \(line(items))" }
        let types = schema["type"].map { $0.elements.isEmpty ? [$0] : $0.elements } ?? []
        let type: HTML = types.isEmpty ? "anything" : joined(types.map { "\($0.text ?? "null")" }, by: " or ")
        let limits = limits(of: schema)
        return limits.isEmpty ? type : "\(type) <small>\(joined(limits, by: ", "))</small>"
    }

    /// The members of an object in rows; another schema in a line.
    static func table(_ schema: DescriptionValue) -> HTML {
        guard let properties = schema["properties"]?.members else { return "<p>\(line(schema))</p>" }
        let required = Set(schema["required"]?.elements.compactMap(\.text) ?? [])
        let rows: [HTML] = properties.map { property in
            let nested = property.value["properties"] == nil ? line(property.value) : table(property.value)
            return """
                <tr><td><code>\(property.name)</code>\(required.contains(property.name) ? "" : " <small>optional</small>" as HTML)</td>\
                <td>\(nested)</td><td>\(HTML.inline(property.value["description"]?.text ?? ""))</td></tr>

                """
        }
        return "<table>\n<tr><th>member</th><th>type</th><th></th></tr>\n\(rows)</table>\n"
    }

    private static func limits(of schema: DescriptionValue) -> [HTML] {
        let named: [(String, String)] = [
            ("minimum", "at least "), ("exclusiveMinimum", "more than "), ("maximum", "at most "), ("default", "default "),
            ("format", ""), ("contentMediaType", ""), ("pattern", ""),
        ]
        return named.compactMap { name, words in
            guard let value = schema[name]?.text else { return nil }
            return name == "pattern" ? "<code>\(value)</code>" : "\(words)\(value)"
        }
    }

    static func joined(_ pieces: [HTML], by separator: HTML) -> HTML {
        var joined: HTML = ""
        for (index, piece) in pieces.enumerated() { joined.text += (index == 0 ? "" : separator.text) + piece.text }
        return joined
    }
}

/// One operation on the page: what it takes and what it answers, with examples.
struct OperationText {
    private let operation: DescriptionValue.DescribedOperation
    private let document: DescriptionValue

    init(_ operation: DescriptionValue.DescribedOperation, in document: DescriptionValue) {
        self.operation = operation
        self.document = document
    }

    var html: HTML {
        """
        <article id="\(operation.body["operationId"]?.text ?? "")">
        <h3><b>\(operation.method)</b> <code>\(operation.path)</code></h3>
        <p><strong>\(operation.body["summary"]?.text ?? "")</strong></p>
        \(HTML.prose(operation.body["description"]?.text ?? ""))\(parameters)\(body)
        <h4>Answers</h4>
        \((operation.body["responses"]?.members ?? []).sorted { $0.name < $1.name }.map(response))
        </article>

        """
    }

    private var parameters: HTML {
        let all = (operation.sharedParameters + (operation.body["parameters"]?.elements ?? [])).map(document.resolved)
        guard !all.isEmpty else { return "" }
        let rows: [HTML] = all.map { parameter in
            """
            <tr><td><code>\(parameter["name"]?.text ?? "")</code></td><td>\(parameter["in"]?.text ?? "")</td>\
            <td>\(SchemaText.line(parameter["schema"] ?? .null))</td><td>\(HTML.inline(parameter["description"]?.text ?? ""))\
            \(parameter["example"]?.text.map { "<br><small>for example <code>\($0)</code></small>" } ?? "" as HTML)</td></tr>

            """
        }
        return "<h4>Parameters</h4>\n<table>\n<tr><th>name</th><th>in</th><th>type</th><th></th></tr>\n\(rows)</table>\n"
    }

    private var body: HTML {
        guard let body = operation.body["requestBody"].map(document.resolved) else { return "" }
        let isRequired = body["required"]?.text == "true"
        return "<h4>Body\(isRequired ? "" : " <small>optional</small>" as HTML)</h4>\n\(content(of: body))"
    }

    /// Answers that are no errors are open; errors are one line until somebody wants more.
    private func response(_ member: DescriptionValue.Member) -> HTML {
        let response = document.resolved(member.value)
        let isError = member.name >= "400"
        let headers: [HTML] = (response["headers"]?.members ?? []).map { header in
            let description = document.resolved(header.value)["description"]?.text ?? ""
            return "<li><code>\(header.name)</code>: \(HTML.inline(description))</li>\n"
        }
        return """
            <details\(isError ? "" : " open" as HTML)>
            <summary><b>\(member.name)</b> \(HTML.inline(response["description"]?.text ?? ""))</summary>
            <ul>
            \(headers)</ul>
            \(operation.method == "HEAD" ? [] : [content(of: response)])
            </details>

            """
    }

    /// The bodies of a request or an answer, by media type.
    private func content(of part: DescriptionValue) -> HTML {
        let bodies: [HTML] = (part["content"]?.members ?? []).map { media in
            let schema = media.value["schema"]
            let shown: HTML =
                switch schema {
                case nil: ""
                case let schema? where schema["properties"] != nil: SchemaText.table(schema)
                case let schema?: ": \(SchemaText.line(schema))"
                }
            let note: HTML = schema?["description"]?.text.map { "<p>\(HTML.inline($0))</p>" } ?? ""
            return "<div><code>\(media.name)</code>\(shown)\(note)</div>\n\(examples(of: media.value))"
        }
        return "\(bodies)"
    }

    private func examples(of media: DescriptionValue) -> [HTML] {
        let unnamed = media["example"].map { [$0] } ?? []
        let named = (media["examples"]?.members ?? []).compactMap { document.resolved($0.value)["value"] }
        return (unnamed + named).map { example in
            if case .text(let text) = example { return "<pre>\(text)</pre>\n" }
            return "<pre>\(example.indentedJSON)</pre>\n"
        }
    }
}

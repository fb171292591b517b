internal import Crypto
internal import Foundation

/// The description as a page for people.
public struct DescriptionPage: Sendable {
    /// HTML in UTF-8.
    public let html: String
    /// The value of `Content-Security-Policy` under which the page looks as it should: its own style, and nothing else at all.
    public let contentSecurityPolicy: String

    private static let style = String(decoding: PackageResources.docs_css, as: UTF8.self)

    init(_ document: DescriptionValue) {
        html = Self.page(document).text
        let digest = Data(SHA256.hash(data: Data(Self.style.utf8))).base64EncodedString()
        contentSecurityPolicy =
            "default-src 'none'; style-src 'sha256-\(digest)'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    }

    private static func page(_ document: DescriptionValue) -> HTML {
        let title = document[path: "info", "title"]?.text ?? ""
        let version = document[path: "info", "version"]?.text ?? ""
        let tags = document["tags"]?.elements ?? []
        let operations = document.operations
        let sections = tags.map { tag in
            let name = tag["name"]?.text ?? ""
            let own = operations.filter { $0.body["tags"]?.elements.first?.text == name }
            return section(name, HTML.prose(tag["description"]?.text ?? ""), own.map { OperationText($0, in: document).html })
        }
        return """
            <!DOCTYPE html>
            <html lang="en">
            <head>
            <meta charset="utf-8">
            <meta name="viewport" content="width=device-width, initial-scale=1">
            <title>\(title) API \(version)</title>
            <style>\(HTML(stringLiteral: style))</style>
            </head>
            <body>
            <nav>
            <h2><a href="#top">\(title) API</a></h2>
            \(tags.map { contents($0["name"]?.text ?? "", operations) })
            <h3><a href="#schemas">schemas</a></h3>
            <h3><a href="#problems">problems</a></h3>
            </nav>
            <main id="top">
            <h1>\(title) API <small>\(version)</small></h1>
            <p><a href="/openapi.yaml">openapi.yaml</a> · <a href="/openapi.json">openapi.json</a></p>
            \(HTML.prose(document[path: "info", "description"]?.text ?? ""))
            \(sections)
            \(section("schemas", [], schemas(document)))
            \(section("problems", [], [problems(document)]))
            </main>
            </body>
            </html>

            """
    }

    private static func section(_ name: String, _ introduction: [HTML], _ content: [HTML]) -> HTML {
        "<section id=\"\(name)\">\n<h2>\(name)</h2>\n\(introduction)\(content)</section>\n"
    }

    /// The lines of the navigation for a tag.
    private static func contents(_ tag: String, _ operations: [DescriptionValue.DescribedOperation]) -> HTML {
        let lines: [HTML] = operations.filter { $0.body["tags"]?.elements.first?.text == tag }.map { operation in
            let identifier = operation.body["operationId"]?.text ?? ""
            return "<li><a href=\"#\(identifier)\"><b>\(operation.method)</b> \(operation.path)</a></li>\n"
        }
        return "<h3><a href=\"#\(tag)\">\(tag)</a></h3>\n<ul>\n\(lines)</ul>\n"
    }

    private static func schemas(_ document: DescriptionValue) -> [HTML] {
        (document[path: "components", "schemas"]?.members ?? []).map { schema in
            """
            <article id="schema-\(schema.name)">
            <h3>\(schema.name)</h3>
            \(HTML.prose(schema.value["description"]?.text ?? ""))\(SchemaText.table(schema.value))
            </article>

            """
        }
    }

    /// Every type of problem, by status.
    private static func problems(_ document: DescriptionValue) -> HTML {
        let prefix = "urn:chunkflow:problem:"
        let rows: [HTML] = (document[path: "components", "examples"]?.members ?? []).compactMap { example in
            guard let type = example.value[path: "value", "type"]?.text, type.hasPrefix(prefix) else { return nil }
            return """
                <tr id="problem-\(example.name)"><td>\(example.value[path: "value", "status"]?.text ?? "")</td>\
                <td><code>\(String(type.dropFirst(prefix.count)))</code></td>\
                <td>\(example.value[path: "value", "title"]?.text ?? "")</td>\
                <td>\(HTML.inline(example.value["summary"]?.text ?? ""))</td></tr>

                """
        }
        return "<table>\n<tr><th>status</th><th>type</th><th>title</th><th>when</th></tr>\n\(rows)</table>\n"
    }
}

internal import CLibXML2
internal import NIOCore

/// An element of a document that a client sent, without its namespaces: clients write S3's, an old one, or none.
struct XMLElement: Equatable {
    let name: String
    /// The text between its tags, that of its children left out.
    let text: String
    let children: [XMLElement]

    /// Levels of elements in a document; the deepest of S3's has seven.
    static let maximumDepth = 24

    /// Reads a document with libxml2, which fetches nothing and expands nothing: a document with a DTD is refused.
    /// - Throws: ``S3Error`` `MalformedXML`.
    static func parse(_ document: ByteBuffer) throws(S3Error) -> XMLElement {
        let bytes = document.readableBytesView
        guard bytes.firstRange(of: "<!DOCTYPE".utf8) == nil, bytes.firstRange(of: "<!ENTITY".utf8) == nil else {
            throw S3Error(.malformedXML, "a document must not have a DTD")
        }
        let parsed = document.withUnsafeReadableBytes { raw in
            xmlReadMemory(
                raw.baseAddress?.assumingMemoryBound(to: CChar.self), Int32(clamping: raw.count), nil, "UTF-8",
                Int32(XML_PARSE_NONET.rawValue | XML_PARSE_NOERROR.rawValue | XML_PARSE_NOWARNING.rawValue | XML_PARSE_NOCDATA.rawValue))
        }
        guard let parsed else { throw S3Error(.malformedXML) }
        defer { xmlFreeDoc(parsed) }
        guard parsed.pointee.intSubset == nil, let root = xmlDocGetRootElement(parsed), let element = XMLElement(root, depth: 1) else {
            throw S3Error(.malformedXML)
        }
        return element
    }

    /// - Returns: nil beyond the greatest depth.
    private init?(_ node: xmlNodePtr, depth: Int) {
        guard depth <= Self.maximumDepth else { return nil }
        var text = ""
        var children: [XMLElement] = []
        var next = node.pointee.children
        while let child = next {
            switch child.pointee.type {
            case XML_ELEMENT_NODE:
                guard let element = XMLElement(child, depth: depth + 1) else { return nil }
                children.append(element)
            case XML_TEXT_NODE, XML_CDATA_SECTION_NODE:
                if let content = child.pointee.content { text += String(cString: content) }
            default: break
            }
            next = child.pointee.next
        }
        name = node.pointee.name.map { String(cString: $0) } ?? ""
        self.text = text
        self.children = children
    }

    /// The first child of that name.
    subscript(name: String) -> XMLElement? { children.first { $0.name == name } }

    func all(_ name: String) -> [XMLElement] { children.filter { $0.name == name } }

    /// The text of the first child of that name, without blanks at its ends; nil when there is none.
    func value(_ name: String) -> String? { self[name].map(\.trimmed) }

    var trimmed: String { text.trimmingBlanks() }
}

extension String {
    /// Without spaces, tabs and line ends at either end.
    func trimmingBlanks() -> String {
        let isBlank: (Character) -> Bool = { $0 == " " || $0 == "\t" || $0 == "\n" || $0 == "\r" || $0 == "\r\n" }
        return String(drop(while: isBlank).reversed().drop(while: isBlank).reversed())
    }
}

internal import CLibXML2
internal import NIOCore

/// Writes a document with libxml2.
struct XMLWriter: ~Copyable {
    static let namespace = "http://s3.amazonaws.com/doc/2006-03-01/"

    private let buffer: xmlBufferPtr
    private let writer: xmlTextWriterPtr

    /// The document of one element.
    /// - Parameter namespace: of the element; nil for none, as errors have it.
    static func document(
        _ root: String, namespace: String? = XMLWriter.namespace, _ body: (borrowing XMLWriter) -> Void
    ) -> ByteBuffer {
        let writer = XMLWriter()
        xmlTextWriterStartDocument(writer.writer, nil, "UTF-8", nil)
        xmlTextWriterStartElement(writer.writer, root)
        if let namespace { xmlTextWriterWriteAttribute(writer.writer, "xmlns", namespace) }
        body(writer)
        return writer.finish()
    }

    /// The document of one element that has nothing but text.
    static func document(_ root: String, text: String) -> ByteBuffer {
        let writer = XMLWriter()
        xmlTextWriterStartDocument(writer.writer, nil, "UTF-8", nil)
        xmlTextWriterStartElement(writer.writer, root)
        xmlTextWriterWriteAttribute(writer.writer, "xmlns", namespace)
        xmlTextWriterWriteString(writer.writer, text)
        return writer.finish()
    }

    private init() {
        // libxml2 gives no memory only when the process has none left.
        guard let buffer = xmlBufferCreate(), let writer = xmlNewTextWriterMemory(buffer, 0) else {
            preconditionFailure("no memory for a document")
        }
        self.buffer = buffer
        self.writer = writer
    }

    deinit {
        xmlFreeTextWriter(writer)
        xmlBufferFree(buffer)
    }

    private func finish() -> ByteBuffer {
        xmlTextWriterEndDocument(writer)
        xmlTextWriterFlush(writer)
        return ByteBuffer(bytes: UnsafeBufferPointer(start: xmlBufferContent(buffer), count: Int(xmlBufferLength(buffer))))
    }

    func element(_ name: String, _ body: (borrowing XMLWriter) -> Void) {
        xmlTextWriterStartElement(writer, name)
        body(self)
        xmlTextWriterEndElement(writer)
    }

    func element(_ name: String, _ text: String) {
        xmlTextWriterStartElement(writer, name)
        xmlTextWriterWriteString(writer, text)
        xmlTextWriterFullEndElement(writer)
    }

    func element(_ name: String, _ number: some BinaryInteger) { element(name, String(number)) }

    func element(_ name: String, _ truth: Bool) { element(name, truth ? "true" : "false") }

    /// Nothing for nil.
    func optional(_ name: String, _ text: String?) { if let text { element(name, text) } }

    /// A grantee, whose type is an attribute of XML Schema.
    func grantee(type: String, _ body: (borrowing XMLWriter) -> Void) {
        xmlTextWriterStartElement(writer, "Grantee")
        xmlTextWriterWriteAttribute(writer, "xmlns:xsi", "http://www.w3.org/2001/XMLSchema-instance")
        xmlTextWriterWriteAttribute(writer, "xsi:type", type)
        body(self)
        xmlTextWriterEndElement(writer)
    }
}

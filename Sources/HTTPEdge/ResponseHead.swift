internal import NIOCore
internal import NIOHTTP1

/// The head of a response on its way to the wire.
struct ResponseHead: Sendable {
    let status: HTTPResponseStatus
    let headers: HTTPHeaders
    let byteCount: Int64

    init(_ response: HTTPResponse) {
        status = response.status
        headers = response.headers
        byteCount = response.byteCount
    }

    /// RFC 9110 6.4.1: answers that have no body, whatever their headers say.
    static func forbidsBody(_ status: HTTPResponseStatus) -> Bool {
        status.code == 204 || status.code == 304 || (100..<200).contains(status.code)
    }

    /// Serialises the head, with the fields that belong to the connection.
    func write(to buffer: inout ByteBuffer, requestID: String, date: String, connection: String?) {
        buffer.writeStaticString("HTTP/1.1 ")
        buffer.writeString(String(status.code))
        buffer.writeStaticString(" ")
        buffer.writeString(status.reasonPhrase)
        buffer.writeStaticString("\r\n")
        for (name, value) in headers { Self.writeField(name, value, to: &buffer) }
        if !Self.forbidsBody(status) { Self.writeField("Content-Length", String(byteCount), to: &buffer) }
        Self.writeField("Date", date, to: &buffer)
        Self.writeField("X-Request-ID", requestID, to: &buffer)
        if let connection { Self.writeField("Connection", connection, to: &buffer) }
        buffer.writeStaticString("\r\n")
    }

    private static func writeField(_ name: String, _ value: String, to buffer: inout ByteBuffer) {
        buffer.writeString(name)
        buffer.writeStaticString(": ")
        // Last line of defence: no value, whoever it came from, can begin a field or a response of its own.
        if value.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7F || $0 == 0x09 }) {
            buffer.writeString(value)
        } else {
            buffer.writeBytes(value.utf8.map { $0 >= 0x20 && $0 != 0x7F ? $0 : 0x20 })
        }
        buffer.writeStaticString("\r\n")
    }
}

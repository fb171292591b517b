internal import FoundationEssentials
internal import NIOCore
public import NIOHTTP1

extension HTTPResponse {
    /// A JSON document, its members in alphabetical order.
    /// - Throws: what the document's encoding throws.
    public static func json(_ document: some Encodable, status: HTTPResponseStatus = .ok, headers: HTTPHeaders = [:]) throws -> HTTPResponse
    {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        var headers = headers
        headers.replaceOrAdd(name: "Content-Type", value: "application/json")
        return HTTPResponse(status: status, headers: headers, body: .bytes(ByteBuffer(bytes: try encoder.encode(document))))
    }
}

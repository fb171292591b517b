internal import NIOHTTP1

/// What HTTP demands of a request's head beyond its grammar, which the decoder has checked.
enum RequestHeadCheck {
    /// - Parameter refusingExpectations: whether nothing may be expected that nobody here knows of.
    /// - Returns: nil for a head in order.
    static func failure(of head: HTTPRequestHead, refusingExpectations: Bool = true) -> EdgeError? {
        let headers = head.headers
        // RFC 9112 3.2.
        let hosts = headers["host"]
        if hosts.count > 1 || (hosts.isEmpty && head.version.minor >= 1) {
            return .malformedRequest(detail: "a request has exactly one Host field")
        }
        // RFC 9112 6.3: the ways in which one request is smuggled inside another.
        let lengths = headers["content-length"]
        if headers.contains(name: "transfer-encoding") {
            if !lengths.isEmpty { return .malformedRequest(detail: "both Content-Length and Transfer-Encoding") }
            let encodings = headers[canonicalForm: "transfer-encoding"]
            guard encodings.count == 1, encodings[0].lowercased() == "chunked" else {
                return .malformedRequest(detail: "the only transfer encoding is chunked")
            }
            if head.version.minor == 0 { return .malformedRequest(detail: "HTTP/1.0 has no transfer encodings") }
        }
        if lengths.count > 1 { return .malformedRequest(detail: "more than one Content-Length") }
        if let length = lengths.first {
            guard !length.isEmpty, length.utf8.allSatisfy({ (0x30...0x39).contains($0) }), Int64(length) != nil else {
                return .malformedRequest(detail: "Content-Length is a number of bytes")
            }
        }
        if refusingExpectations, headers.contains(name: "expect"), !expectsContinue(head) || headers["expect"].count > 1 {
            return .expectationFailed
        }
        return nil
    }

    /// Whether the client waits to be told to send the body.
    static func expectsContinue(_ head: HTTPRequestHead) -> Bool { head.headers["expect"].contains { $0.lowercased() == "100-continue" } }
}

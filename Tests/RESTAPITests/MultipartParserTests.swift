import Core
import HTTPEdge
import NIOCore
import RESTAPI
import Testing

@Suite("Multipart parser")
struct MultipartParserTests {
    struct Part: Equatable {
        var headers: PartHeaders
        var content: [UInt8] = []
    }

    /// Feeds `pieces` and gathers the parts.
    static func parse(_ pieces: [[UInt8]], boundary: String) throws -> [Part] {
        var parser = MultipartParser(boundary: boundary)
        var parts: [Part] = []
        for piece in pieces {
            parser.feed(ByteBuffer(bytes: piece))
            while let event = try parser.next() {
                switch event {
                case .partBegan(let headers): parts.append(Part(headers: headers))
                case .data(let bytes): parts[parts.count - 1].content += Array(bytes.readableBytesView)
                case .partEnded, .ended: break
                }
            }
        }
        try parser.finish()
        return parts
    }

    static func parse(_ text: String, boundary: String = "b") throws -> [Part] { try parse([Array(text.utf8)], boundary: boundary) }

    static func form(_ parts: [Part], boundary: String, preamble: String = "", epilogue: String = "") -> [UInt8] {
        var bytes = Array(preamble.utf8)
        for part in parts {
            bytes += "--\(boundary)\r\nContent-Disposition: form-data; name=\"\(part.headers.name)\"".utf8
            if let fileName = part.headers.fileName { bytes += "; filename=\"\(fileName)\"".utf8 }
            if let type = part.headers.contentType { bytes += "\r\ncontent-type:  \(type) ".utf8 }
            bytes += Array("\r\n\r\n".utf8) + part.content + Array("\r\n".utf8)
        }
        return bytes + Array("--\(boundary)--\r\n\(epilogue)".utf8)
    }

    @Test("parts come out with their names, types and bytes")
    func reads() throws {
        let parts = [
            Part(headers: PartHeaders(name: "file", fileName: "a.txt", contentType: "text/plain"), content: Array("hello".utf8)),
            Part(headers: PartHeaders(name: "note", fileName: nil, contentType: nil), content: []),
        ]
        #expect(try Self.parse([Self.form(parts, boundary: "b", preamble: "ignored\r\n", epilogue: "ignored")], boundary: "b") == parts)
    }

    @Test("however the bytes are cut, the parts are the same", arguments: 0..<300 as Range<UInt64>)
    func splits(seed: UInt64) throws {
        let random = SeededRandom(seed: seed)
        let boundary = ["b", "----WebKitFormBoundaryX", "-", "a b'()+_,./:=?", String(repeating: "x", count: 70)][random.next(in: 0..<5)]
        // Content made of what looks like delimiters.
        let crumbs: [[UInt8]] = [
            [13], [10], [13, 10], Array("\r\n--".utf8), Array("--\(boundary)".utf8), Array("\r\n-\(boundary)".utf8),
            Array("\r\n--\(boundary.dropLast())".utf8), Array("\r\r\n--".utf8), [0], Array("text".utf8), [255, 254],
        ]
        let parts = (0..<random.next(in: 1..<4)).map { index in
            var content: [UInt8] = []
            for _ in 0..<random.next(in: 0..<30) {
                content += crumbs[random.next(in: 0..<crumbs.count)]
                // The one thing that content cannot hold.
                if String(decoding: Array("\r\n".utf8) + content, as: UTF8.self).utf8.contains(sequence: Array("\r\n--\(boundary)".utf8)) {
                    content = []
                }
            }
            return Part(headers: PartHeaders(name: "p\(index)", fileName: index == 0 ? "n" : nil, contentType: nil), content: content)
        }
        let bytes = Self.form(parts, boundary: boundary, preamble: random.next(in: 0..<2) == 0 ? "" : "pre\r\n-\r\n", epilogue: "\r\n--")
        var pieces: [[UInt8]] = []
        var rest = bytes[...]
        while !rest.isEmpty {
            let length = min(rest.count, random.next(in: 0..<2) == 0 ? 1 : random.next(in: 1..<40))
            pieces.append(Array(rest.prefix(length)))
            rest = rest.dropFirst(length)
        }
        #expect(try Self.parse(pieces, boundary: boundary) == parts, "seed \(seed)")
    }

    @Test("random bytes are refused or read, and never crash", arguments: 0..<200 as Range<UInt64>)
    func fuzz(seed: UInt64) {
        let random = SeededRandom(seed: seed)
        let alphabet = Array("\r\n--bContent-Disposition: form-data; name=\"x\"; filename*=UTF-8''%\\".utf8) + [0, 255]
        var bytes = Self.form([Part(headers: PartHeaders(name: "a", fileName: "b", contentType: "c/d"))], boundary: "b")
        for _ in 0..<random.next(in: 1..<20) {
            let byte = alphabet[random.next(in: 0..<alphabet.count)]
            let position = random.next(in: 0..<bytes.count)
            if random.next(in: 0..<2) == 0 { bytes[position] = byte } else { bytes.insert(byte, at: position) }
        }
        _ = try? Self.parse([bytes], boundary: "b")
        _ = try? Self.parse(bytes.map { [$0] }, boundary: "b")
    }

    @Test("a body that lacks its closing boundary is truncated, wherever it was cut")
    func truncated() {
        let bytes = Self.form([Part(headers: PartHeaders(name: "a", fileName: "b", contentType: nil), content: [1, 2, 3])], boundary: "b")
        for length in 0..<(bytes.count - 2) {
            #expect(throws: MultipartParser.ParseError.truncated) { try Self.parse([Array(bytes.prefix(length))], boundary: "b") }
        }
    }

    @Test(
        "what breaks the form's grammar is refused",
        arguments: [
            ("--b\r\nContent-Disposition: form-data; name=a\r\n\r\nx\r\n--bc\r\n", MultipartParser.ParseError.malformedDelimiter),
            ("--b\nContent-Disposition: form-data; name=a\n\nx\n--b--\n", .malformedDelimiter),
            ("--b\r\nContent-Type: text/plain\r\n\r\nx\r\n--b--", .malformedHeader(detail: "a part without Content-Disposition")),
            (
                "--b\r\nContent-Disposition: attachment; name=a\r\n\r\nx\r\n--b--",
                .malformedHeader(detail: "a Content-Disposition that is not form-data")
            ),
            ("--b\r\nContent-Disposition: form-data\r\n\r\nx\r\n--b--", .malformedHeader(detail: "a part without a name")),
            ("--b\r\nnonsense\r\n\r\nx\r\n--b--", .malformedHeader(detail: "a line without a colon")),
            ("--b\r\nContent-Disposition: form-data; name=\"a\u{1}\"\r\n\r\nx\r\n--b--", .malformedHeader(detail: "a control character")),
            ("--c\r\nContent-Disposition: form-data; name=a\r\n\r\nx\r\n--c--", .truncated),
        ])
    func malformed(text: String, error: MultipartParser.ParseError) {
        #expect(throws: error) { try Self.parse(text) }
    }

    @Test("headers and padding have limits")
    func limits() {
        #expect(throws: MultipartParser.ParseError.headerTooLarge) {
            try Self.parse("--b\r\nX: " + String(repeating: "x", count: MultipartParser.Limits.headerBytes))
        }
        #expect(throws: MultipartParser.ParseError.paddingTooLarge) {
            try Self.parse(String(repeating: "x\r\n", count: MultipartParser.Limits.paddingBytes / 3 + 10))
        }
        #expect(throws: MultipartParser.ParseError.paddingTooLarge) {
            try Self.parse("--b--" + String(repeating: "x", count: MultipartParser.Limits.paddingBytes + 1))
        }
    }

    @Test("a part without a body may end with the line end of its header")
    func bodiless() throws {
        let parts = try Self.parse("--b\r\nContent-Disposition: form-data; name=a\r\n\r\n--b--")
        #expect(parts == [Part(headers: PartHeaders(name: "a", fileName: nil, contentType: nil))])
    }

    @Test(
        "file names are read in all the ways in which clients write them",
        arguments: [
            ("filename=plain.txt", "plain.txt"),
            ("filename=\"with space; and=signs.txt\"", "with space; and=signs.txt"),
            (#"filename="a\"b.txt""#, "a\"b.txt"),
            (#"filename="a\\b.txt""#, #"a\b.txt"#),
            (#"filename="C:\folder\file.txt""#, #"C:\folder\file.txt"#),
            (#"filename="C:\folder\""#, #"C:\folder\"#),
            ("filename=\"a%22b%0Ac%41.txt\"", "a\"b\nc%41.txt"),
            ("filename=\"naïve.txt\"", "naïve.txt"),
            ("filename=\"fallback\"; filename*=UTF-8''na%C3%AFve%20file.txt", "naïve file.txt"),
            ("filename=\"fallback\"; filename*=UTF-8''%FF", "fallback"),
            ("FileName=\"upper\"", "upper"),
            ("filename=\"\"", ""),
        ])
    func fileNames(parameter: String, name: String) throws {
        let parts = try Self.parse("--b\r\nContent-Disposition: form-data; name=\"file\"; \(parameter)\r\n\r\nx\r\n--b--\r\n")
        #expect(parts.first?.headers.fileName == name)
    }

    @Test("a folded header line is read whole")
    func folded() throws {
        let parts = try Self.parse("--b  \r\nContent-Disposition: form-data;\r\n name=file;\r\n\tfilename=x\r\n\r\nx\r\n--b--")
        #expect(parts.first?.headers == PartHeaders(name: "file", fileName: "x", contentType: nil))
    }
}

extension Sequence where Element == UInt8 {
    func contains(sequence: [UInt8]) -> Bool {
        let bytes = Array(self)
        guard bytes.count >= sequence.count else { return false }
        return (0...(bytes.count - sequence.count)).contains { bytes[$0..<($0 + sequence.count)].elementsEqual(sequence) }
    }
}

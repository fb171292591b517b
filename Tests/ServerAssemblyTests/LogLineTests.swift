import Core
import Foundation
import Logging
import ServerAssembly
import Testing

@Suite("Log lines")
struct LogLineTests {
    private func line(_ message: Logger.Message, _ metadata: Logger.Metadata) -> LogLine {
        let event = LogEvent(level: .info, message: message, metadata: nil, source: "Tests", file: #fileID, function: #function, line: 1)
        return LogLine(at: Timestamp(millisecondsSince1970: 1_767_323_045_678), label: "distributor", event, metadata: metadata)
    }

    /// What could end a line, hide text, reorder it, or drive a terminal.
    private static let hostile = "a\r\nb\u{0}\u{1B}[2J\u{85}\u{2028}\u{2029}\u{202E}\u{200B}\u{7F}\u{E000}c\"}\\ level=error x=[1]"

    @Test("text is read from left to right: time, level, logger, what belongs to it, where it comes from, what happened")
    func text() {
        let text = line("request", ["status": .stringConvertible(200), "path": "/files"]).text
        #expect(text == "2026-01-02T03:04:05.678Z info distributor: path=/files status=200 [Tests] request")
    }

    @Test("JSON has the same, numbers as numbers")
    func json() throws {
        let text = line("request", ["status": .stringConvertible(200), "ms": .stringConvertible(1.5), "of": .array(["a", "b"])]).json
        #expect(
            text == #"{"time":"2026-01-02T03:04:05.678Z","level":"info","logger":"distributor","source":"Tests","message":"request","#
                + #""ms":1.5,"of":["a","b"],"status":200}"#)
    }

    @Test("nothing that comes from outside ends a line or begins another")
    func oneLine() throws {
        let hostile = line("\(Self.hostile)", ["value": "\(Self.hostile)", Self.hostile: "x", "in": .dictionary([Self.hostile: "y"])])
        for text in [hostile.text, hostile.json] {
            #expect(!text.unicodeScalars.contains { $0.isUnfitForLogs }, "\(text)")
            #expect(!text.contains { $0.isNewline })
        }
    }

    @Test("JSON gives back the very text, whatever it is")
    func roundTrip() throws {
        let object = try #require(
            try JSONSerialization.jsonObject(with: Data(line("\(Self.hostile)", ["value": "\(Self.hostile)\u{1F600}"]).json.utf8))
                as? [String: Any])
        #expect(object["message"] as? String == Self.hostile)
        #expect(object["value"] as? String == Self.hostile + "\u{1F600}")
    }

    @Test("a value in text cannot pass for other values, nor a name of metadata for the line's own members")
    func noForgedValues() throws {
        let text = line("request", ["path": "/x status=200 [Tests] y", "quote": "a\" status=1"]).text
        #expect(text.contains(#" path="/x status=200 [Tests] y" "#))
        #expect(text.contains(#" quote="a\" status=1" "#))
        let json = line("request", ["level": "critical", "message": "forged"]).json
        let object = try #require(try JSONSerialization.jsonObject(with: Data(json.utf8)) as? [String: Any])
        #expect(object["level"] as? String == "info")
        #expect(object["message"] as? String == "request")
        #expect(object["_message"] as? String == "forged")
    }

    @Test("a line has its bounds, however much it is given")
    func bounds() {
        let long = String(repeating: "x", count: 1 << 20)
        let bounded = line("\(long)", ["value": "\(long)"])
        #expect(bounded.text.utf8.count < 10_000)
        #expect(bounded.json.utf8.count < 10_000)
    }
}

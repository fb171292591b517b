package import Core
internal import Foundation
internal import HTTPEdge
package import Logging

/// One line of the log, in one of its two forms. Whatever a message, a name or a value holds, it stays one line, and no value can
/// pass for another.
package struct LogLine {
    /// Characters that are kept of a message or a value.
    static let textLimit = 2_048

    /// What a JSON line has of its own. Metadata of such a name are written with a `_` before it.
    private static let ownMembers: Set<String> = ["time", "level", "logger", "source", "message"]

    private let time: String
    private let label: String
    private let event: LogEvent
    private let metadata: [(name: String, value: Logger.MetadataValue)]

    /// - Parameters:
    ///   - label: of the logger.
    ///   - metadata: all that belong to the line; the event's own are not looked at.
    package init(at time: Timestamp, label: String, _ event: LogEvent, metadata: Logger.Metadata) {
        self.time = CalendarDate(time).internetText
        self.label = label
        self.event = event
        self.metadata = metadata.sorted { $0.key < $1.key }.map { (name: $0.key, value: $0.value) }
    }

    /// For people: `TIME LEVEL LOGGER: NAME=VALUE ... [SOURCE] MESSAGE`, without a line break.
    package var text: String {
        var line = "\(time) \(event.level.rawValue) \(logText(label)):"
        for (name, value) in metadata { line += " \(Self.word(name))=\(Self.word("\(value)"))" }
        return line + " [\(event.source)] \(logText(event.message.description, limit: Self.textLimit))"
    }

    /// For programs: one JSON object (RFC 8259), without a line break.
    package var json: String {
        var line = "{"
        line.reserveCapacity(512)
        Self.append("time", time, to: &line)
        Self.append("level", event.level.rawValue, to: &line)
        Self.append("logger", label, to: &line)
        Self.append("source", event.source, to: &line)
        Self.append("message", event.message.description, to: &line)
        for (name, value) in metadata {
            line += ","
            Self.append(quoted: Self.ownMembers.contains(name) ? "_" + name : name, to: &line)
            line += ":"
            Self.append(value, to: &line)
        }
        return line + "}"
    }

    // MARK: Text

    /// Something that ends where it seems to end: quoted when it has to be.
    private static func word(_ text: String) -> String {
        let safe = logText(text, limit: textLimit)
        guard safe.isEmpty || safe.utf8.contains(where: { " \"=[]".utf8.contains($0) }) else { return safe }
        return "\"" + safe.replacingOccurrences(of: "\"", with: "\\\"") + "\""
    }

    // MARK: JSON

    private static func append(_ name: String, _ value: String, to line: inout String) {
        line += line.utf8.count == 1 ? "" : ","
        append(quoted: name, to: &line)
        line += ":"
        append(quoted: value, to: &line)
    }

    private static func append(_ value: Logger.MetadataValue, to line: inout String) {
        switch value {
        case .string(let text): append(quoted: text, to: &line)
        case .stringConvertible(let number as any BinaryInteger): line += "\(number)"
        case .stringConvertible(let number as Double) where number.isFinite: line += "\(number)"
        case .stringConvertible(let flag as Bool): line += flag ? "true" : "false"
        case .stringConvertible(let other): append(quoted: "\(other)", to: &line)
        case .array(let values):
            line += "["
            for (index, value) in values.enumerated() {
                if index > 0 { line += "," }
                append(value, to: &line)
            }
            line += "]"
        case .dictionary(let members):
            line += "{"
            for (index, member) in members.sorted(by: { $0.key < $1.key }).enumerated() {
                if index > 0 { line += "," }
                append(quoted: member.key, to: &line)
                line += ":"
                append(member.value, to: &line)
            }
            line += "}"
        }
    }

    private static func append(quoted text: String, to line: inout String) {
        line += "\""
        // Nearly all that is logged: a line is written for every request, and going through it character by character costs most of it.
        if text.utf8.count <= textLimit, text.utf8.allSatisfy({ (0x20...0x7E).contains($0) && $0 != 0x22 && $0 != 0x5C }) {
            line += text
            line += "\""
            return
        }
        var count = 0
        for scalar in text.unicodeScalars {
            if count == textLimit {
                line += "..."
                break
            }
            count += 1
            switch scalar {
            case "\"": line += "\\\""
            case "\\": line += "\\\\"
            case _ where scalar.isUnfitForLogs:
                for unit in String(scalar).utf16 {
                    let digits = String(unit, radix: 16)
                    line += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
                }
            default: line.unicodeScalars.append(scalar)
            }
        }
        line += "\""
    }
}

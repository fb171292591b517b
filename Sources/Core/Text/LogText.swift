/// Text from anywhere, made fit for a log line: control characters, line separators and whatever else could forge a line or
/// drive a terminal is written as `\u{...}`, and no more than `limit` characters are kept.
///
/// The log itself does this to all that it is given; nobody needs to do it before.
public func logText(_ text: String, limit: Int = 256) -> String {
    if text.utf8.count <= limit, text.utf8.allSatisfy({ (0x20...0x7E).contains($0) && $0 != 0x5C }) { return text }
    var result = ""
    result.reserveCapacity(min(text.utf8.count, limit))
    var count = 0
    for scalar in text.unicodeScalars {
        if count == limit { return result + "..." }
        count += 1
        if scalar.isUnfitForLogs {
            result += "\\u{" + String(scalar.value, radix: 16) + "}"
        } else if scalar == "\\" {
            result += "\\\\"
        } else {
            result.unicodeScalars.append(scalar)
        }
    }
    return result
}

extension Unicode.Scalar {
    /// Whether it could end a line, hide or reorder text, or drive a terminal.
    public var isUnfitForLogs: Bool {
        if (0x20...0x7E).contains(value) { return false }
        return switch properties.generalCategory {
        case .control, .format, .lineSeparator, .paragraphSeparator, .surrogate, .unassigned, .privateUse: true
        default: false
        }
    }
}

/// Text from outside, made fit for a log line: control characters, line separators and whatever else could forge a line or
/// drive a terminal is written as `\u{...}`, and no more than `limit` characters are kept.
public func logText(_ text: String, limit: Int = 256) -> String {
    var result = ""
    var count = 0
    for scalar in text.unicodeScalars {
        if count == limit { return result + "..." }
        count += 1
        switch scalar.properties.generalCategory {
        case .control, .format, .lineSeparator, .paragraphSeparator, .surrogate, .unassigned, .privateUse:
            result += "\\u{" + String(scalar.value, radix: 16) + "}"
        default:
            if scalar == "\\" { result += "\\\\" } else { result.unicodeScalars.append(scalar) }
        }
    }
    return result
}

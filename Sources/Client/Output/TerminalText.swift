extension String {
    /// Fit to be shown on a terminal: control characters, which could move its cursor or worse, become `\u{FFFD}`.
    package var printable: String {
        String(String.UnicodeScalarView(unicodeScalars.map { $0.properties.generalCategory.isControl ? "\u{FFFD}" : $0 }))
    }

    package func padded(to width: Int) -> String { self + String(repeating: " ", count: max(0, width - count)) }
    package func leftPadded(to width: Int) -> String { String(repeating: " ", count: max(0, width - count)) + self }
}

extension Unicode.GeneralCategory {
    /// Format characters are with them: they reverse the direction of text, among other things.
    fileprivate var isControl: Bool { self == .control || self == .format || self == .lineSeparator || self == .paragraphSeparator }
}

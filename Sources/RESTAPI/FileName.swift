internal import HTTPEdge

/// Names of files as clients send them and as they are given back. They never name anything on a disk of ours.
package enum FileName {
    /// Bytes in UTF-8.
    package static let maximumBytes = 1_024

    /// What is kept of a name: its last component, without control characters.
    /// - Returns: nil when nothing is left, as of `..` or `folder/`.
    package static func kept(of name: String) -> String? {
        let component = name.unicodeScalars.split(omittingEmptySubsequences: false) { $0 == "/" || $0 == "\\" }.last ?? []
        var kept = String.UnicodeScalarView()
        for scalar in component {
            switch scalar.properties.generalCategory {
            case .control, .lineSeparator, .paragraphSeparator, .surrogate: break
            default: kept.append(scalar)
            }
        }
        let text = HeaderText.trimmed(String(kept))
        return text.isEmpty || text == "." || text == ".." ? nil : text
    }
}

/// What a `Range` field (RFC 9110 14) asks for of a file.
public enum ByteRange: Equatable, Sendable {
    /// All of it: no range, or one that is to be ignored (several, malformed, of another unit).
    case whole
    case part(Range<Int64>)
    /// It lies behind the end.
    case unsatisfiable

    /// - Parameters:
    ///   - field: the value of `Range`, nil when there is none.
    ///   - size: bytes of the file.
    public init(field: String?, size: Int64) {
        guard let field, field.lowercased().hasPrefix("bytes=") else {
            self = .whole
            return
        }
        let isBlank: (Character) -> Bool = { $0 == " " || $0 == "\t" }
        var specifier = field.dropFirst(6).drop(while: isBlank)
        while specifier.last.map(isBlank) ?? false { specifier.removeLast() }
        let bounds = specifier.split(separator: "-", omittingEmptySubsequences: false)
        guard bounds.count == 2, let first = Self.position(bounds[0]), let last = Self.position(bounds[1]) else {
            self = .whole
            return
        }
        switch (first, last) {
        case (nil, nil): self = .whole
        case (nil, let length?):
            // RFC 9110 14.1.2: a suffix of a file that is shorter is all of it; one of no bytes cannot be had.
            let count = min(length, size)
            self = count == 0 ? .unsatisfiable : .part(size - count..<size)
        case (let first?, nil): self = first < size ? .part(first..<size) : .unsatisfiable
        case (let first?, let last?):
            if last < first {
                self = .whole
            } else {
                self = first < size ? .part(first..<min(last, size - 1) + 1) : .unsatisfiable
            }
        }
    }

    /// - Returns: `.some(nil)` for no digits, nil for what is no position. Positions beyond 63 bits become the largest.
    private static func position(_ text: Substring) -> Int64?? {
        if text.isEmpty { return .some(nil) }
        guard text.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else { return nil }
        return .some(Int64(text) ?? .max)
    }
}

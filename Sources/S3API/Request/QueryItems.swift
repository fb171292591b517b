internal import HTTPEdge

/// The query of a request, percent-decoded, in the order in which it came.
struct QueryItems {
    private(set) var items: [(name: String, value: String)] = []

    /// - Throws: ``S3Error`` `InvalidURI` for what is not well encoded.
    init(_ query: String?) throws(S3Error) {
        guard let query else { return }
        for pair in query.split(separator: "&") {
            let sides = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard let name = RequestTarget.percentDecoded(sides[0], plusIsSpace: true),
                let value = RequestTarget.percentDecoded(sides.count == 2 ? sides[1] : "", plusIsSpace: true)
            else { throw S3Error(.invalidURI, "The query is not well encoded") }
            items.append((name, value))
        }
    }

    /// - Parameter version: nil for none.
    init(version: String?) { items = version.map { [("versionId", $0)] } ?? [] }

    /// The value of the first of that name; empty for one without a value, nil when there is none.
    subscript(name: String) -> String? { items.first { $0.name == name }?.value }

    func has(_ name: String) -> Bool { items.contains { $0.name == name } }

    /// - Throws: ``S3Error`` `InvalidArgument` unless it is a whole number in `range`.
    func number(_ name: String, in range: ClosedRange<Int>) throws(S3Error) -> Int? {
        guard let text = self[name] else { return nil }
        guard text.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let number = Int(text), range.contains(number) else {
            throw S3Error(.invalidArgument, "\(name) must be a number from \(range.lowerBound) to \(range.upperBound)")
        }
        return number
    }
}

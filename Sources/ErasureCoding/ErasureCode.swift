/// How a chunk is spread over more nodes than it takes to read it: `dataCount` fragments hold its bytes, `parityCount` more are
/// computed from them, and any `dataCount` of all give the chunk back.
///
/// Its text is `ec-4-2`: four of data, two of parity.
public struct ErasureCode: Hashable, Sendable, LosslessStringConvertible {
    public static let dataCounts = 2...16
    public static let parityCounts = 1...4

    /// Fragments that hold the chunk's bytes, numbered from 0; as many are needed to read it.
    public let dataCount: Int
    /// Fragments computed from those, numbered from `dataCount`; as many may be lost.
    public let parityCount: Int

    /// - Returns: nil for counts outside ``dataCounts`` and ``parityCounts``.
    public init?(dataCount: Int, parityCount: Int) {
        guard Self.dataCounts.contains(dataCount), Self.parityCounts.contains(parityCount) else { return nil }
        self.dataCount = dataCount
        self.parityCount = parityCount
    }

    /// - Returns: nil for anything but the text that ``description`` writes.
    public init?(_ text: String) {
        let words = text.split(separator: "-", omittingEmptySubsequences: false)
        guard words.count == 3, let dataCount = Int(words[1]), let parityCount = Int(words[2]),
            let code = ErasureCode(dataCount: dataCount, parityCount: parityCount), code.description == text
        else { return nil }
        self = code
    }

    /// Fragments of a chunk: each belongs on a node of its own.
    public var width: Int { dataCount + parityCount }

    public var description: String { "ec-\(dataCount)-\(parityCount)" }
}

/// How the chunks of a blob are stored: whole copies, or the fragments of an erasure code.
///
/// Its text is `replicated`, `replicated-3` or `ec-4-2`.
public enum StorageClass: Hashable, Sendable, LosslessStringConvertible {
    /// As many copies as the cluster keeps of everything that asks for nothing else, now and when that number changes.
    case replicated
    /// So many copies, where there are that many nodes.
    case copies(Int)
    case coded(ErasureCode)

    public static let copyCounts = 1...16

    /// - Returns: nil for anything but the text that ``description`` writes.
    public init?(_ text: String) {
        if text == "replicated" {
            self = .replicated
        } else if let code = ErasureCode(text) {
            self = .coded(code)
        } else if text.hasPrefix("replicated-"), let count = Int(text.dropFirst(11)), Self.copyCounts.contains(count),
            text == "replicated-\(count)"
        {
            self = .copies(count)
        } else {
            return nil
        }
    }

    public var description: String {
        switch self {
        case .replicated: "replicated"
        case .copies(let count): "replicated-\(count)"
        case .coded(let code): code.description
        }
    }

    /// Numbers that fragments of a chunk can have.
    public var fragmentNumbers: Range<UInt8> {
        switch self {
        case .replicated, .copies: 0..<1
        case .coded(let code): 0..<UInt8(code.width)
        }
    }

    /// What ``replicated`` comes to in a cluster that keeps `replicas` copies: for people to read.
    public func resolved(replicas: Int) -> StorageClass { self == .replicated ? .copies(replicas) : self }
}

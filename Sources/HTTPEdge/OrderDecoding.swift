/// A document has a member that has no business there.
public struct UnexpectedMember: Error, Hashable, Sendable {
    /// The names of those that are accepted.
    public let accepted: [String]

    /// For the `detail` of a ``Problem``.
    public var detail: String { "members that are accepted here, none of them null: \(accepted.joined(separator: ", "))" }
}

extension Decoder {
    /// The members of an order, none of which is unknown: a misspelt `force` must not be taken for an order without.
    /// - Throws: ``UnexpectedMember`` for a member that `Key` has no case for, and for null; `DecodingError` for what is no object.
    public func order<Key: CodingKey & CaseIterable>(_: Key.Type) throws -> KeyedDecodingContainer<Key> {
        let members = try container(keyedBy: MemberName.self)
        for name in members.allKeys where try Key(stringValue: name.stringValue) == nil || members.decodeNil(forKey: name) {
            throw UnexpectedMember(accepted: Key.allCases.map(\.stringValue))
        }
        return try container(keyedBy: Key.self)
    }
}

private struct MemberName: CodingKey {
    let stringValue: String
    var intValue: Int? { nil }

    init(stringValue: String) { self.stringValue = stringValue }
    init?(intValue: Int) { nil }
}

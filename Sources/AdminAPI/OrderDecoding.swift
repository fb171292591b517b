internal import HTTPEdge

extension Decoder {
    /// The members of an order, none of which is unknown: a misspelt `force` must not be taken for an order without.
    /// - Throws: a ``Problem`` for a member that `Key` has no case for, and for null; `DecodingError` for what is no object.
    func order<Key: CodingKey & CaseIterable>(_: Key.Type) throws -> KeyedDecodingContainer<Key> {
        let members = try container(keyedBy: MemberName.self)
        for name in members.allKeys where try Key(stringValue: name.stringValue) == nil || members.decodeNil(forKey: name) {
            let accepted = Key.allCases.map(\.stringValue).joined(separator: ", ")
            throw AdministrationRoutes.malformed("members that are accepted here, none of them null: \(accepted)")
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

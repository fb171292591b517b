internal import FoundationEssentials

/// A condition of a policy's statement: one operator, one key, and the values that it may have.
struct PolicyCondition: Sendable {
    let key: ConditionKey
    private let comparison: Comparison
    /// Whether the operator says that the value is not so.
    private let isNegated: Bool
    /// Whether it holds for requests that have no such key.
    private let isOptional: Bool
    private let quantifier: Quantifier

    private enum Quantifier { case one, any, all }

    enum Comparison: Sendable {
        case equals([String])
        case equalsIgnoringCase([String])
        case like([Wildcard])
        case number(Order, [Double])
        case date(Order, [Date])
        case truth([Bool])
        case address([AddressRange])
        /// Whether it shall be absent.
        case null([Bool])
    }

    enum Order: Sendable { case equal, less, lessOrEqual, greater, greaterOrEqual }

    /// - Returns: nil for an operator, a key or a value that is not understood.
    init?(operator name: String, key: String, values: [String]) {
        guard let key = ConditionKey(key), !values.isEmpty else { return nil }
        self.key = key
        var name = name.lowercased()
        if name.hasPrefix("forallvalues:") {
            quantifier = .all
        } else {
            quantifier = name.hasPrefix("foranyvalue:") ? .any : .one
        }
        if let colon = name.firstIndex(of: ":") { name = String(name[name.index(after: colon)...]) }
        isOptional = name.hasSuffix("ifexists")
        if isOptional { name.removeLast("ifexists".count) }
        isNegated = Self.negations[name] != nil
        guard let comparison = Self.comparison(Self.negations[name] ?? name, values) else { return nil }
        if case .null = comparison, isOptional || quantifier != .one { return nil }
        self.comparison = comparison
    }

    private static let negations = [
        "stringnotequals": "stringequals", "stringnotequalsignorecase": "stringequalsignorecase", "stringnotlike": "stringlike",
        "numericnotequals": "numericequals", "datenotequals": "dateequals", "notipaddress": "ipaddress", "arnnotequals": "arnequals",
        "arnnotlike": "arnlike",
    ]

    private static func comparison(_ name: String, _ values: [String]) -> Comparison? {
        switch name {
        case "stringequals": return .equals(values)
        case "stringequalsignorecase": return .equalsIgnoringCase(values.map { $0.lowercased() })
        // Both kinds of comparing ARNs take wildcards.
        case "stringlike", "arnlike", "arnequals": return .like(values.map(Wildcard.init))
        case "bool": return truths(values).map(Comparison.truth)
        case "null": return truths(values).map(Comparison.null)
        case "ipaddress":
            let ranges = values.compactMap(AddressRange.init)
            return ranges.count == values.count ? .address(ranges) : nil
        default: break
        }
        if name.hasPrefix("numeric"), let order = order(name.dropFirst(7)) {
            let numbers = values.compactMap { Double($0) }
            return numbers.count == values.count ? .number(order, numbers) : nil
        }
        if name.hasPrefix("date"), let order = order(name.dropFirst(4)) {
            let dates = values.compactMap(date)
            return dates.count == values.count ? .date(order, dates) : nil
        }
        return nil
    }

    private static func order(_ name: Substring) -> Order? {
        switch name {
        case "equals": .equal
        case "lessthan": .less
        case "lessthanequals": .lessOrEqual
        case "greaterthan": .greater
        case "greaterthanequals": .greaterOrEqual
        default: nil
        }
    }

    private static func truths(_ values: [String]) -> [Bool]? {
        let truths = values.compactMap { Bool($0.lowercased()) }
        return truths.count == values.count ? truths : nil
    }

    /// ISO 8601, or seconds since 1970.
    private static func date(_ text: String) -> Date? {
        if let seconds = Double(text) { return Date(timeIntervalSince1970: seconds) }
        if let date = try? Date(text, strategy: .iso8601) { return date }
        return try? Date(text, strategy: Date.ISO8601FormatStyle(includingFractionalSeconds: true))
    }

    // MARK: Deciding

    /// - Returns: nil when the request has not said it yet.
    func holds(in context: PolicyContext) -> Bool? {
        guard let actual = context.values(of: key) else { return nil }
        if case .null(let wanted) = comparison { return wanted.contains(actual.isEmpty) }
        guard !actual.isEmpty else { return isOptional || quantifier == .all || (isNegated && quantifier == .one) }
        switch quantifier {
        case .one, .any: return actual.contains { matches($0) != isNegated }
        case .all: return actual.allSatisfy { matches($0) != isNegated }
        }
    }

    /// Whether `value` is one of those that are named.
    private func matches(_ value: String) -> Bool {
        switch comparison {
        case .equals(let wanted): return wanted.contains(value)
        case .equalsIgnoringCase(let wanted): return wanted.contains(value.lowercased())
        case .like(let wanted): return wanted.contains { $0.matches(value) }
        case .number(let order, let wanted):
            guard let value = Double(value) else { return false }
            return wanted.contains { order.holds(value, $0) }
        case .date(let order, let wanted):
            guard let value = Self.date(value) else { return false }
            return wanted.contains { order.holds(value, $0) }
        case .truth(let wanted): return Bool(value.lowercased()).map(wanted.contains) ?? false
        case .address(let wanted): return wanted.contains { $0.contains(value) }
        case .null: return false
        }
    }

    /// Whether it lets only somebody in who is named, or addresses of some network.
    var namesSomebody: Bool {
        guard !isNegated, !isOptional, quantifier != .all else { return false }
        switch comparison {
        case .equals, .equalsIgnoringCase: return key.namesSomebody
        case .like(let wanted): return key.namesSomebody && wanted.allSatisfy { !$0.hasWildcards }
        case .address(let ranges):
            return key == .sourceAddress
                && ranges.allSatisfy { $0.prefixLength >= ($0.isVersion4 ? 8 : 32) || $0.isPrivate }
        case .number, .date, .truth, .null: return false
        }
    }
}

extension PolicyCondition.Order {
    func holds<Value: Comparable>(_ value: Value, _ wanted: Value) -> Bool {
        switch self {
        case .equal: value == wanted
        case .less: value < wanted
        case .lessOrEqual: value <= wanted
        case .greater: value > wanted
        case .greaterOrEqual: value >= wanted
        }
    }
}

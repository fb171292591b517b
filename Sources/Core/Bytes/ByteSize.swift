/// A number of bytes as people write it: `65536`, `64KiB`, `8MiB`, `1GiB`.
public struct ByteSize: Hashable, Sendable, LosslessStringConvertible {
    public let byteCount: Int

    private static let units: [(suffix: String, byteCount: Int)] = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)]

    /// - Returns: nil for anything but a whole number, with or without one of the units.
    public init?(_ text: String) {
        let unit = Self.units.first { text.hasSuffix($0.suffix) }
        let digits = unit.map { text.dropLast($0.suffix.count) } ?? text[...]
        guard let number = Int(digits), number >= 0 else { return nil }
        let (byteCount, overflow) = number.multipliedReportingOverflow(by: unit?.byteCount ?? 1)
        guard !overflow else { return nil }
        self.byteCount = byteCount
    }

    public init(byteCount: Int) { self.byteCount = byteCount }

    /// In the largest unit that gives a whole number.
    public var description: String {
        for unit in Self.units where byteCount > 0 && byteCount % unit.byteCount == 0 {
            return "\(byteCount / unit.byteCount)\(unit.suffix)"
        }
        return "\(byteCount)"
    }
}

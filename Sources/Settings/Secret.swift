/// A string that must not be seen: it shows itself as `***` wherever it is printed, logged, dumped or interpolated.
public struct Secret: Hashable, Sendable, CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    /// The secret itself. For comparing and signing only.
    public let revealed: String

    public init(_ revealed: String) { self.revealed = revealed }

    public var description: String { "***" }
    public var debugDescription: String { "***" }
    public var customMirror: Mirror { Mirror(self, children: [], displayStyle: .struct) }
}

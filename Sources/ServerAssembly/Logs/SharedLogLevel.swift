package import Logging
internal import Synchronization

/// The level of all loggers of a process. Can be changed at any time, from any thread, and costs a load to look at.
package final class SharedLogLevel: Sendable {
    private static let levels = Logger.Level.allCases

    /// In `levels`.
    private let index: Atomic<Int>

    package init(_ level: Logger.Level) { index = Atomic(Self.index(of: level)) }

    package var value: Logger.Level {
        get { Self.levels[index.load(ordering: .relaxed)] }
        set { index.store(Self.index(of: newValue), ordering: .relaxed) }
    }

    private static func index(of level: Logger.Level) -> Int { levels.firstIndex(of: level) ?? 0 }
}

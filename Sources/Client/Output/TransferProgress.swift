internal import Synchronization
package import Core

/// Shows how far one transfer is: a bar that is drawn over itself on a terminal, a line every ten seconds elsewhere.
///
/// Safe to call from any thread.
package final class TransferProgress: Sendable {
    private static let drawingInterval = Duration.milliseconds(100)
    private static let lineInterval = Duration.seconds(10)

    private struct State {
        var meter: ProgressMeter
        var shownAt: MonotonicInstant
    }

    private let name: String
    private let console: Console
    private let isSilent: Bool
    private let time: any TimeSource
    private let state: Mutex<State>

    /// - Parameter isSilent: shows nothing where there is no terminal.
    package init(name: String, totalByteCount: Int64, console: Console, isSilent: Bool, time: any TimeSource) {
        self.name = name
        self.console = console
        self.isSilent = isSilent
        self.time = time
        let now = time.monotonicNow()
        state = Mutex(State(meter: ProgressMeter(totalByteCount: totalByteCount, time: now), shownAt: now))
    }

    /// The transfer goes on from `byteCount`, which was there before: it does not count for the rate.
    package func begin(at byteCount: Int64) {
        let now = time.monotonicNow()
        state.withLock {
            $0.meter = ProgressMeter(totalByteCount: $0.meter.totalByteCount, startingAt: byteCount, time: now)
        }
    }

    /// So many bytes of the whole are there now.
    package func update(_ byteCount: Int64) {
        let now = time.monotonicNow()
        let line: String? = state.withLock { state in
            state.meter.record(byteCount, at: now)
            let interval = console.isTerminal ? Self.drawingInterval : Self.lineInterval
            guard now - state.shownAt >= interval else { return nil }
            state.shownAt = now
            return state.meter.line(name: name, width: console.isTerminal ? console.width - 1 : 120)
        }
        guard let line else { return }
        if console.isTerminal { console.draw(line) } else if !isSilent { console.note(line) }
    }

    /// Takes the bar off the terminal.
    package func end() {
        if console.isTerminal { console.draw("") }
    }
}

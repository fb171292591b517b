import Synchronization

/// What others can see of a scrub while it runs. Safe to use from any thread.
public final class ScrubWatch: Sendable {
    public struct Figures: Sendable {
        /// Milliseconds since 1970; nil before the process has begun to re-read.
        public var passStartedAt: Int64?
        /// Milliseconds since 1970; nil before the first pass has ended.
        public var lastFinishedAt: Int64?
        /// Since the start of the process.
        public var byteCount: Int64 = 0
        /// Since the start of the process.
        public var corruptCount: Int64 = 0
    }

    private let state = Mutex(Figures())

    public var figures: Figures { state.withLock { $0 } }

    func note(_ progress: ScrubProgress) {
        state.withLock { state in
            state.passStartedAt = progress.startedAt
            state.lastFinishedAt = progress.finishedAt
        }
    }

    func noteRead(_ byteCount: Int, isCorrupt: Bool) {
        state.withLock { state in
            state.byteCount += Int64(byteCount)
            if isCorrupt { state.corruptCount += 1 }
        }
    }
}

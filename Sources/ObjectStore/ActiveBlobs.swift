package import Core
import Synchronization

/// Blobs that somebody is writing or reading at this moment: the collector leaves them alone. Safe from any thread.
///
/// Who looks a blob up in the metadata, to read it then, does so within a lookup: what it finds may be deleted before it is counted
/// here, so the collector waits for the lookups that had begun when it took its list.
package final class ActiveBlobs: Sendable {
    private struct State {
        var counts: [BlobID: Int] = [:]
        /// Lookups in progress, by the epoch in which they began.
        var lookups: [UInt64: Int] = [:]
        var epoch: UInt64 = 0
    }

    private let state = Mutex(State())
    /// Raised when a lookup has ended.
    private let lookupEnded = Signal()

    package init() {}

    package func insert(_ blob: BlobID) { state.withLock { $0.counts[blob, default: 0] += 1 } }

    package func remove(_ blob: BlobID) {
        state.withLock { state in
            guard let count = state.counts[blob] else { preconditionFailure("removed more often than inserted") }
            state.counts[blob] = count == 1 ? nil : count - 1
        }
    }

    package func contains(_ blob: BlobID) -> Bool { state.withLock { $0.counts[blob] != nil } }

    /// Runs a lookup. What it finds and wants to keep it inserts before it ends.
    package func lookingUp<Value>(isolation: isolated (any Actor)? = #isolation, _ body: () async throws -> Value) async rethrows -> Value {
        let epoch = state.withLock { state in
            state.lookups[state.epoch, default: 0] += 1
            return state.epoch
        }
        defer {
            state.withLock { state in
                let count = state.lookups[epoch] ?? 1
                state.lookups[epoch] = count == 1 ? nil : count - 1
            }
            lookupEnded.raise()
        }
        return try await body()
    }

    /// Waits for the lookups that have begun before; those that begin meanwhile are not waited for. One task at a time.
    /// - Throws: `CancellationError`.
    package func waitForLookups() async throws {
        let begun = state.withLock { state in
            defer { state.epoch += 1 }
            return state.epoch
        }
        while state.withLock({ state in state.lookups.keys.contains { $0 <= begun } }) { try await lookupEnded.wait() }
    }
}

/// Keeps blobs from being collected for as long as it lives.
public final class PinnedBlobs: Sendable {
    private let blobs: [BlobID]
    private let active: ActiveBlobs

    package init(_ blobs: [BlobID], in active: ActiveBlobs) {
        self.blobs = blobs
        self.active = active
        for blob in blobs { active.insert(blob) }
    }

    deinit { for blob in blobs { active.remove(blob) } }
}

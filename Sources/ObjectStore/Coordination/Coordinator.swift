package import Core
package import Logging
package import Metadata
import Synchronization

/// Lets one distributor of the cluster at a time do what only one may do: the one that has the lease in the metadata database.
///
/// The holder renews its lease every ``Timing/renewalInterval`` and stops its work when that has not succeeded for
/// ``Timing/duration`` less ``Timing/margin``, counted from before the last renewal was asked for. Another takes the lease only
/// when it has itself seen the same record for the whole duration, which began after that. Both count by their own monotonic
/// clocks: the time of day is never looked at, and the margin is for clocks that run differently fast and for work that takes
/// a while to stop (docs/decisions/0013-one-coordinator.md).
///
/// What has been sent to a node when the work is stopped may still happen: all of it must be harmless when done twice.
package final class Coordinator: Sendable {
    package struct Timing: Sendable {
        /// How long a lease that is not renewed keeps others from taking it.
        package var duration: Duration = .seconds(15)
        package var renewalInterval: Duration = .seconds(5)
        /// How long before the end of its lease a holder stops.
        package var margin: Duration = .seconds(3)

        package init() {}
    }

    private let name: String
    private let holder: LeaseHolder
    private let leases: any LeaseStore
    private let timing: Timing
    private let time: any TimeSource
    private let logger: Logger

    /// - Parameters:
    ///   - name: of the lease; those who share the work use the same.
    ///   - holder: nobody else's, and new with every start of the process.
    package init(
        name: String, holder: LeaseHolder, leases: any LeaseStore, timing: Timing = Timing(), time: any TimeSource, logger: Logger
    ) {
        self.name = name
        self.holder = holder
        self.leases = leases
        self.timing = timing
        self.time = time
        self.logger = logger
    }

    /// Runs `work` whenever the lease is held, until the task is cancelled; then gives the lease up.
    /// - Parameter work: goes on until its task is cancelled, and ends soon then. May be run again.
    package func run(_ work: @escaping @Sendable () async -> Void) async {
        // Nobody else has the database open, and nobody that is dead can hold anything up.
        if leases.isExclusive { return await work() }
        var seen: Sighting?
        while !Task.isCancelled {
            let begin = time.monotonicNow()
            do {
                let record = try await leases.acquireLease(named: name, for: holder, replacing: given(seen, at: begin))
                if record.holder == holder {
                    seen = nil
                    logger.notice("this distributor does the background work now", metadata: ["epoch": "\(record.epoch)"])
                    await hold(LeaseEnd(begin + (timing.duration - timing.margin)), work)
                    if Task.isCancelled { break }
                    logger.warning("this distributor does no background work any more: it has lost the lease")
                } else if record != seen?.record {
                    seen = Sighting(record: record, since: time.monotonicNow())
                }
            } catch {
                logger.warning("the lease of the background work could not be asked for", metadata: ["error": "\(error)"])
            }
            try? await time.sleep(for: pause(seen))
        }
        // Others need not wait. Not cancelled, unlike the task that runs this.
        await Task { [leases, name, holder] in try? await leases.releaseLease(named: name, by: holder) }.value
    }

    /// Another one's record, and since when it has been the same.
    private struct Sighting {
        let record: LeaseRecord
        let since: MonotonicInstant
    }

    /// The record whose holder has had the time to notice that its lease has ended.
    private func given(_ seen: Sighting?, at now: MonotonicInstant) -> LeaseRecord? {
        guard let seen, now - seen.since >= timing.duration else { return nil }
        return seen.record
    }

    private func pause(_ seen: Sighting?) -> Duration {
        guard let seen else { return timing.renewalInterval }
        let left = timing.duration - (time.monotonicNow() - seen.since)
        return left > .zero ? min(left, timing.renewalInterval) : timing.renewalInterval
    }

    /// Until when the work may go on.
    private final class LeaseEnd: Sendable {
        private let instant: Mutex<MonotonicInstant>
        init(_ instant: MonotonicInstant) { self.instant = Mutex(instant) }
        var value: MonotonicInstant {
            get { instant.withLock { $0 } }
            set { instant.withLock { $0 = newValue } }
        }
    }

    /// Runs `work` until the lease is lost or the task is cancelled. Waits for its end, and for that of a renewal that hangs.
    private func hold(_ end: LeaseEnd, _ work: @escaping @Sendable () async -> Void) async {
        await withTaskGroup { group in
            group.addTask { await work() }
            group.addTask { await self.renew(end) }
            // Beside the renewals: one that the database does not answer must not keep the work from being stopped.
            group.addTask { await self.watch(end) }
            await group.next()
            group.cancelAll()
        }
    }

    /// Returns when another one has the lease.
    private func renew(_ end: LeaseEnd) async {
        while (try? await time.sleep(for: timing.renewalInterval)) != nil {
            let begin = time.monotonicNow()
            do {
                guard try await leases.acquireLease(named: name, for: holder, replacing: nil).holder == holder else { return }
                end.value = begin + (timing.duration - timing.margin)
            } catch {
                logger.warning("the lease of the background work was not renewed", metadata: ["error": "\(error)"])
            }
        }
    }

    /// Returns when the lease has not been renewed in time.
    private func watch(_ end: LeaseEnd) async {
        while !Task.isCancelled {
            let left = end.value - time.monotonicNow()
            if left <= .zero { return }
            try? await time.sleep(for: left)
        }
    }
}

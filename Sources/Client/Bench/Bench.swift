package import Core
internal import NIOCore
internal import Synchronization

/// A load test of one cluster: files of its own, which it uploads, downloads, and removes again.
///
/// ``stop()`` may be called from any task; everything else by one.
package final class Bench: Sendable {
    /// Failures in a row after which one of the concurrent clients gives up.
    private static let patience = 20
    private static let pauseAfterFailure = Duration.milliseconds(100)
    /// Files that downloads take turns at when there are no uploads before them, for each concurrent client.
    private static let filesPerClient = 2
    private static let concurrentRemovals = 8

    private let connection: ServerConnection
    private let time: any TimeSource
    private let random: any RandomSource
    /// What its files are called, with a number after it.
    package let namePrefix: String
    private let seed: UInt64
    private let isStopped = Atomic(false)
    private let lastNumber = Atomic(0)
    private let files = Mutex<[FileDescription]>([])

    package init(connection: ServerConnection, time: any TimeSource, random: any RandomSource) {
        self.connection = connection
        self.time = time
        self.random = random
        namePrefix = "chunkflow-bench-" + String(random.next(), radix: 36)
        seed = random.next()
    }

    /// Lets operations in progress finish and begins no more.
    package func stop() { isStopped.store(true, ordering: .relaxed) }
    package var wasStopped: Bool { isStopped.load(ordering: .relaxed) }

    /// Runs all parts of a plan.
    /// - Parameter report: told the results of each part as soon as it has ended.
    package func run(_ plan: BenchPlan, report: ([BenchResult]) -> Void) async throws {
        let content = BenchContent(byteCount: plan.byteCount, seed: seed)
        if plan.workload == .get || plan.workload == .mixed {
            let wanted = plan.concurrency * Self.filesPerClient
            _ = try await phase([.put], content, plan, end: .count(wanted))
        }
        for operations in plan.phases where !wasStopped { report(try await phase(operations, content, plan, end: plan.end)) }
    }

    /// Removes everything that was uploaded.
    /// - Returns: how many files could not be removed.
    package func cleanUp() async throws -> Int {
        let all = files.withLock { $0 }
        let removed = try await withThrowingTaskGroup(of: Int.self) { group in
            for first in 0..<Self.concurrentRemovals {
                group.addTask {
                    var count = 0
                    for index in stride(from: first, to: all.count, by: Self.concurrentRemovals) where try await self.remove(all[index]) {
                        count += 1
                    }
                    return count
                }
            }
            return try await group.reduce(0, +)
        }
        files.withLock { $0 = [] }
        return all.count - removed
    }

    /// - Returns: whether the file is gone.
    private func remove(_ file: FileDescription) async throws -> Bool {
        do {
            try await connection.delete(file.fileID)
        } catch ClientError.notFound {
        } catch is ClientError {
            return false
        }
        return true
    }

    // MARK: One part

    /// How many operations of a part have begun.
    private final class Beginnings: Sendable {
        private let count = Atomic(0)
        /// - Returns: how many there were before this one.
        func add() -> Int { count.add(1, ordering: .relaxed).oldValue }
    }

    /// What one of the concurrent clients saw.
    private struct Tally: Sendable {
        var latencies: [BenchPlan.Operation: LatencyHistogram] = [:]
        var failures: [BenchPlan.Operation: [String: Int]] = [:]
    }

    private func phase(
        _ operations: [BenchPlan.Operation], _ content: BenchContent, _ plan: BenchPlan, end: BenchPlan.End
    ) async throws -> [BenchResult] {
        // What downloads take turns at: not what is uploaded meanwhile, of which nobody has heard yet.
        let known = files.withLock { $0.filter { $0.size == content.byteCount } }
        let started = time.monotonicNow()
        let begun = Beginnings()
        let tallies = try await withThrowingTaskGroup(of: Tally.self) { group in
            for _ in 0..<plan.concurrency {
                group.addTask {
                    var tally = Tally()
                    var failuresInARow = 0
                    while self.mayBegin(end, since: started, begun), failuresInARow < Self.patience {
                        let operation = operations[Int(self.random.next() % UInt64(operations.count))]
                        let before = self.time.monotonicNow()
                        do {
                            try await self.perform(operation, content, known, verifying: plan.verifies)
                            tally.latencies[operation, default: LatencyHistogram()].record(self.time.monotonicNow() - before)
                            failuresInARow = 0
                        } catch let error as ClientError {
                            tally.failures[operation, default: [:]][error.description, default: 0] += 1
                            failuresInARow += 1
                            try await self.time.sleep(for: Self.pauseAfterFailure)
                        }
                    }
                    return tally
                }
            }
            return try await group.reduce(into: []) { $0.append($1) }
        }
        let duration = time.monotonicNow() - started
        return operations.map { operation in
            var latencies = LatencyHistogram()
            var failures: [String: Int] = [:]
            for tally in tallies {
                if let some = tally.latencies[operation] { latencies.merge(some) }
                failures.merge(tally.failures[operation] ?? [:], uniquingKeysWith: +)
            }
            return BenchResult(
                operation: operation, byteCount: content.byteCount, concurrency: plan.concurrency, duration: duration, latencies: latencies,
                failures: failures)
        }
    }

    private func mayBegin(_ end: BenchPlan.End, since start: MonotonicInstant, _ begun: Beginnings) -> Bool {
        if wasStopped { return false }
        switch end {
        case .after(let duration): return time.monotonicNow() - start < duration
        case .count(let count): return begun.add() < count
        }
    }

    private func perform(
        _ operation: BenchPlan.Operation, _ content: BenchContent, _ known: [FileDescription], verifying verifies: Bool
    ) async throws {
        switch operation {
        case .put: try await put(content)
        case .get:
            guard !known.isEmpty else { throw ClientError.notFound(detail: "nothing was uploaded that could be downloaded") }
            try await get(known[Int(random.next() % UInt64(known.count))], content, verifying: verifies)
        }
    }

    private func put(_ content: BenchContent) async throws {
        let number = lastNumber.add(1, ordering: .relaxed).newValue
        let stored = try await connection.upload(content, name: "\(namePrefix)-\(number)", contentType: ContentTypes.unknown)
        files.withLock { $0.append(stored) }
        guard stored.size == content.byteCount, stored.crc32c == content.crc32c else {
            throw ClientError.corrupt(detail: "what the server stored is not what was sent")
        }
    }

    private func get(_ file: FileDescription, _ content: BenchContent, verifying verifies: Bool) async throws {
        var byteCount: Int64 = 0
        var crc = CRC32C()
        try await connection.download(file, from: 0).read { buffer in
            byteCount += Int64(buffer.readableBytes)
            if verifies { crc.update(buffer) }
        }
        guard byteCount == content.byteCount else {
            throw ClientError.corrupt(detail: "a download of \(byteCount) bytes instead of \(content.byteCount)")
        }
        if verifies, crc.value != content.crc32c { throw ClientError.corrupt(detail: "a download that is not what was uploaded") }
    }
}

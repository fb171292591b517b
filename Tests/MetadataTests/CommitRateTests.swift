import Core
import Metadata
import Testing

/// What one database takes, for docs/measurements.md.
@Suite struct CommitRateTests {
    private static let commitCount = 2_000

    @Test("durable commits of small objects, by writers who share transactions and by one who does not", arguments: [1, 64])
    func rate(writers: Int) async throws {
        let directory = try TemporaryDirectory()
        let store = try await openStore(directory.database, executor: ThreadPoolExecutor(threadCount: 2))
        let fixture = try await store.fixture()
        let start = ContinuousClock.now
        try await withThrowingTaskGroup(of: Void.self) { group in
            for writer in 0..<writers {
                group.addTask {
                    for number in stride(from: writer, to: Self.commitCount, by: writers) {
                        try await store.commit(fixture.object("k\(number)", version: number, blobs: [number]), repairs: [])
                    }
                }
            }
            try await group.waitForAll()
        }
        let elapsed = ContinuousClock.now - start
        print("\(writers) writers: \(Int(Double(Self.commitCount) / (elapsed / .seconds(1)))) commits per s")
        #expect(try await store.totals().objectCount == Int64(Self.commitCount))
        await store.close()
    }
}

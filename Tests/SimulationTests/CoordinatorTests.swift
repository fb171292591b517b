import Core
import Logging
import Metadata
import ObjectStore
import Synchronization
import Testing

/// Several distributors on one database, of which one at a time does the work in the background.
@Suite("Coordinators on one database")
struct CoordinatorTests {
    @Test("never work at the same time, whatever the database, the clocks and the processes do, and one works again afterwards")
    func neverTwo() throws {
        var changes = 0
        for seed in 1...150 as ClosedRange<UInt64> {
            let scheduler = DeterministicScheduler(seed: seed)
            changes += try scheduler.run(limit: .seconds(24 * 3600)) {
                let office = try await Office(seed: seed, scheduler: scheduler)
                var people: [Distributor] = []
                for _ in 0..<3 { people.append(office.newcomer()) }
                for _ in 0..<20 {
                    try await scheduler.sleep(for: .milliseconds(scheduler.random.next(in: 0..<20_000)))
                    let number = scheduler.random.next(in: 0..<people.count)
                    switch scheduler.random.next(in: 0..<6) {
                    case 0: people[number].leases.trouble = .refuses
                    case 1: people[number].leases.trouble = .losesAnswers
                    case 2: people[number].leases.trouble = .hangs
                    case 3: people[number].leases.trouble = .isSlow
                    case 4:
                        await people[number].stop()
                        people[number] = office.newcomer()
                    default: people[number].leases.trouble = .none
                    }
                }
                for person in people { person.leases.trouble = .none }
                // What hangs ends after a minute at most; then a lease runs out, and is asked for at the next turn.
                try await scheduler.sleep(for: .seconds(90))
                let now = office.atWork
                for person in people { await person.stop() }
                guard now.count == 1 else { throw Violation("seed \(seed): at work in the end: \(now)") }
                if let violation = office.violation { throw violation }
                return office.changes
            }
        }
        // A simulation in which nobody ever takes over would prove nothing.
        #expect(changes > 300, "\(changes) changes")
    }

    @Test("the one that is cut off stops before another one begins, which is when its lease has run out")
    func cutOff() throws {
        let scheduler = DeterministicScheduler(seed: 1)
        try scheduler.run(limit: .seconds(3600)) {
            let office = try await Office(seed: 1, scheduler: scheduler, isEven: true)
            let first = office.newcomer()
            try await scheduler.sleep(for: .seconds(1))
            let second = office.newcomer()
            try await scheduler.sleep(for: .seconds(60))
            #expect(office.atWork == [first.number])
            let start = scheduler.monotonicNow()
            first.leases.trouble = .hangs
            while office.atWork == [first.number] { try await scheduler.sleep(for: .milliseconds(10)) }
            #expect(office.atWork.isEmpty)
            // 12 s after its last renewal, which is up to 5 s ago.
            let stopped = scheduler.monotonicNow() - start
            #expect(stopped > .seconds(6) && stopped < .seconds(13), "stopped after \(stopped)")
            while office.atWork.isEmpty { try await scheduler.sleep(for: .milliseconds(10)) }
            #expect(office.atWork == [second.number])
            let taken = scheduler.monotonicNow() - start
            #expect(taken > stopped + .seconds(1) && taken < .seconds(21), "taken over after \(taken)")
            await first.stop()
            await second.stop()
        }
    }

    @Test("the one that stops in peace leaves the lease to the next at once, and one that is back does not take it away")
    func cleanStop() throws {
        let scheduler = DeterministicScheduler(seed: 2)
        try scheduler.run(limit: .seconds(3600)) {
            let office = try await Office(seed: 2, scheduler: scheduler, isEven: true)
            let first = office.newcomer()
            try await scheduler.sleep(for: .milliseconds(1))
            #expect(office.atWork == [first.number], "it begins without waiting")
            let second = office.newcomer()
            try await scheduler.sleep(for: .seconds(60))
            await first.stop()
            #expect(office.atWork.isEmpty)
            try await scheduler.sleep(for: .milliseconds(5_001))
            #expect(office.atWork == [second.number])
            let third = office.newcomer()
            try await scheduler.sleep(for: .seconds(120))
            #expect(office.atWork == [second.number] && office.changes == 2)
            await second.stop()
            await third.stop()
        }
    }

    @Test("a lease counts from when it was asked for, not from when the database answered", arguments: 0..<10)
    func lateAnswer(phase: Int) throws {
        let scheduler = DeterministicScheduler(seed: 5)
        try scheduler.run(limit: .seconds(3600)) {
            let office = try await Office(seed: 5, scheduler: scheduler, isEven: true)
            let first = office.newcomer()
            try await scheduler.sleep(for: .milliseconds(1 + phase * 500))
            let second = office.newcomer()
            // Its first renewal is asked for after 5 s and answered after 11; then no other is.
            first.leases.trouble = .answersLate
            try await scheduler.sleep(for: .milliseconds(12_000 - phase * 500))
            #expect(office.atWork == [first.number])
            first.leases.trouble = .hangs
            while office.atWork != [second.number] { try await scheduler.sleep(for: .milliseconds(100)) }
            await first.stop()
            await second.stop()
            if let violation = office.violation { throw violation }
        }
    }

    @Test("one whose lease was taken, because its machine stood still, stops as soon as it asks")
    func taken() throws {
        let scheduler = DeterministicScheduler(seed: 6)
        try scheduler.run(limit: .seconds(3600)) {
            let office = try await Office(seed: 6, scheduler: scheduler, isEven: true)
            let first = office.newcomer()
            try await scheduler.sleep(for: .seconds(1))
            let other = LeaseHolder(time: scheduler.now(), random: scheduler.random)
            let seen = try await office.database.acquireLease(named: Office.lease, for: other, replacing: nil)
            #expect(try await office.database.acquireLease(named: Office.lease, for: other, replacing: seen).holder == other)
            try await scheduler.sleep(for: .milliseconds(4_001))
            #expect(office.atWork.isEmpty)
            await first.stop()
        }
    }

    @Test("on a database that is one process's own, the work begins at once and asks for no lease, whoever had one before")
    func exclusive() throws {
        let scheduler = DeterministicScheduler(seed: 3)
        try scheduler.run(limit: .seconds(3600)) {
            let office = try await Office(seed: 3, scheduler: scheduler, isExclusive: true)
            let killed = LeaseHolder(time: scheduler.now(), random: scheduler.random)
            let record = try await office.database.acquireLease(named: Office.lease, for: killed, replacing: nil)
            let only = office.newcomer()
            only.leases.trouble = .refuses
            try await scheduler.sleep(for: .seconds(60))
            #expect(office.atWork == [only.number] && office.changes == 1)
            await only.stop()
            let other = LeaseHolder(time: scheduler.now(), random: scheduler.random)
            #expect(try await office.database.acquireLease(named: Office.lease, for: other, replacing: nil) == record)
        }
    }

    @Test("a distributor without the lease serves and watches the nodes, but collects only when it gets the lease")
    func store() throws {
        let scheduler = DeterministicScheduler(seed: 4)
        try scheduler.run(limit: .seconds(3600)) {
            let cluster = try await SimulatedCluster(nodeCount: 3, configuration: StoreConfiguration(), scheduler: scheduler)
            await cluster.stopDistributor()
            let other = LeaseHolder(time: scheduler.now(), random: scheduler.random)
            _ = try await cluster.metadata.acquireLease(named: "background", for: other, replacing: nil)
            try await cluster.startDistributor()
            guard let store = cluster.store else { throw Violation("no distributor") }
            let body = SimulatedBody(file: SimulatedFile(seed: 1, byteCount: 1000), breaksAt: nil, scheduler: scheduler)
            let record = try await store.upload(UploadDescription(fileName: "a"), body: body)
            _ = try await store.deleteFile(try #require(FileID(record.key)))
            for _ in 0..<12 {
                try await scheduler.sleep(for: .seconds(5))
                #expect(try await cluster.metadata.acquireLease(named: "background", for: other, replacing: nil).holder == other)
            }
            #expect(try await cluster.metadata.garbage(after: nil, limit: 10).count == 1)
            #expect(try await store.clusterStatus().nodes.allSatisfy { $0.state == .up })
            // Nobody renews it any more.
            try await scheduler.sleep(for: .seconds(40))
            #expect(try await cluster.metadata.garbage(after: nil, limit: 10).isEmpty)
            await cluster.stopDistributor()
        }
    }
}

/// A database, and who is at work.
private final class Office: Sendable {
    static let lease = "work"

    private struct State {
        var count = 0
        var atWork: [Int] = []
        var changes = 0
        var violation: Violation?
    }

    let database: SQLiteMetadataStore
    private let seed: UInt64
    private let scheduler: DeterministicScheduler
    private let isExclusive: Bool
    /// Whether clocks run as they should and work stops at once.
    private let isEven: Bool
    private let state = Mutex(State())

    init(seed: UInt64, scheduler: DeterministicScheduler, isExclusive: Bool = false, isEven: Bool = false) async throws {
        self.seed = seed
        self.scheduler = scheduler
        self.isExclusive = isExclusive
        self.isEven = isEven
        database = try await SQLiteMetadataStore.open(path: nil, executor: InlineExecutor(), logger: .silent)
    }

    var atWork: [Int] { state.withLock { $0.atWork } }
    /// How often somebody began.
    var changes: Int { state.withLock { $0.changes } }
    var violation: Violation? { state.withLock { $0.violation } }

    func newcomer() -> Distributor {
        let number = state.withLock { state in
            state.count += 1
            return state.count
        }
        let random = scheduler.random
        let leases = TroubledLeases(base: database, isExclusive: isExclusive, scheduler: scheduler)
        // Up to 3 % fast or slow, and minutes off.
        let time = AlteredTime(
            base: scheduler, rate: isEven ? 1 : 0.97 + Double(random.next(in: 0..<61)) / 1_000,
            offset: .seconds(random.next(in: 0..<1_200) - 600))
        let coordinator = Coordinator(
            name: Self.lease, holder: LeaseHolder(time: time.now(), random: random), leases: leases, time: time, logger: .silent)
        let running = Task { await coordinator.run { await self.work(number) } }
        return Distributor(number: number, leases: leases, running: running)
    }

    private func work(_ number: Int) async {
        state.withLock { state in
            if !state.atWork.isEmpty, state.violation == nil {
                state.violation = Violation("seed \(seed): \(number) begins while \(state.atWork) are at work")
            }
            state.atWork.append(number)
            state.changes += 1
        }
        try? await scheduler.sleep(for: .seconds(48 * 3600))
        // What was under way when it was stopped.
        let rest = isEven ? 0 : scheduler.random.next(in: 0..<1_500)
        await Task { [scheduler] in try? await scheduler.sleep(for: .milliseconds(rest)) }.value
        state.withLock { state in state.atWork.removeAll { $0 == number } }
    }
}

private struct Distributor: Sendable {
    let number: Int
    let leases: TroubledLeases
    let running: Task<Void, Never>

    func stop() async {
        leases.trouble = .none
        running.cancel()
        await running.value
    }
}

/// The way of one distributor to the database.
private final class TroubledLeases: LeaseStore {
    enum Trouble { case none, refuses, losesAnswers, answersLate, hangs, isSlow }
    struct Failure: Error {}

    let isExclusive: Bool
    private let base: SQLiteMetadataStore
    private let scheduler: DeterministicScheduler
    private let state = Mutex(Trouble.none)

    var trouble: Trouble {
        get { state.withLock { $0 } }
        set { state.withLock { $0 = newValue } }
    }

    init(base: SQLiteMetadataStore, isExclusive: Bool, scheduler: DeterministicScheduler) {
        self.base = base
        self.isExclusive = isExclusive
        self.scheduler = scheduler
    }

    func acquireLease(named name: String, for holder: LeaseHolder, replacing seen: LeaseRecord?) async throws -> LeaseRecord {
        let trouble = trouble
        let random = scheduler.random
        switch trouble {
        case .none: break
        case .refuses: throw Failure()
        case .losesAnswers, .answersLate: break
        case .hangs: await pause(random.next(in: 20_000..<60_000))
        case .isSlow: await pause(random.next(in: 0..<8_000))
        }
        let record = try await base.acquireLease(named: name, for: holder, replacing: seen)
        switch trouble {
        case .losesAnswers where random.next(in: 0..<2) == 0: throw Failure()
        case .answersLate: await pause(6_000)
        case .isSlow, .hangs: await pause(random.next(in: 0..<8_000))
        case .none, .losesAnswers, .refuses: break
        }
        return record
    }

    func releaseLease(named name: String, by holder: LeaseHolder) async throws {
        try await base.releaseLease(named: name, by: holder)
    }

    /// Cannot be cancelled: so is a call to a database.
    private func pause(_ milliseconds: Int) async {
        await Task { [scheduler] in try? await scheduler.sleep(for: .milliseconds(milliseconds)) }.value
    }
}

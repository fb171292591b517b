import Core
import Testing

@Suite(.timeLimit(.minutes(1))) struct GroupCommitTests {
    private struct Odd: Error, Equatable { let number: Int }
    private struct Refused: Error {}

    /// Runs nothing.
    private struct RefusingExecutor: BlockingExecutor {
        func run<Value: Sendable>(_ work: @escaping @Sendable () throws -> Value) async throws -> Value { throw Refused() }
    }

    @Test("each submission gets the answer, or the error, that is its own")
    func answers() async throws {
        let group = GroupCommit<Int, Int>(maximumBatch: 16, executor: ThreadPoolExecutor(threadCount: 2)) { items in
            items.map { $0 % 2 == 0 ? .success($0 * 10) : .failure(Odd(number: $0)) }
        }
        await withTaskGroup(of: Void.self) { tasks in
            for number in 0..<500 {
                tasks.addTask {
                    if number % 2 == 0 {
                        #expect((try? await group.submit(number)) == number * 10)
                    } else {
                        await #expect(throws: Odd(number: number)) { try await group.submit(number) }
                    }
                }
            }
        }
    }

    @Test("what comes while a batch is handled is handled together, in order, up to the limit")
    func batches() async throws {
        let batches = Shared<[[Int]]>([])
        let isHeld = Shared(true)
        let group = GroupCommit<Int, Void>(maximumBatch: 10, executor: ThreadPoolExecutor(threadCount: 1)) { items in
            batches.change { $0.append(items) }
            while isHeld.value {}
            return items.map { _ in .success(()) }
        }
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            tasks.addTask { try await group.submit(-1) }
            while batches.value.isEmpty { await Task.yield() }
            let submitted = Shared(0)
            for number in 0..<25 {
                tasks.addTask {
                    submitted.change { $0 += 1 }
                    try await group.submit(number)
                }
            }
            while submitted.value < 25 { await Task.yield() }
            for _ in 0..<1000 { await Task.yield() }
            isHeld.value = false
            try await tasks.waitForAll()
        }
        let handled = batches.value
        #expect(handled[0] == [-1])
        #expect(handled.dropFirst().allSatisfy { $0.count <= 10 })
        #expect(handled.dropFirst().flatMap { $0 }.sorted() == Array(0..<25))
        #expect(handled.count < 26)
    }

    @Test("batches never overlap")
    func oneAtATime() async throws {
        let running = Shared(0)
        let group = GroupCommit<Int, Void>(maximumBatch: 4, executor: ThreadPoolExecutor(threadCount: 4)) { items in
            #expect(running.change { $0 += 1 } == 1)
            defer { running.change { $0 -= 1 } }
            return items.map { _ in .success(()) }
        }
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            for number in 0..<1000 { tasks.addTask { try await group.submit(number) } }
            try await tasks.waitForAll()
        }
    }

    @Test("when the executor refuses, those who wait are told why, and so are later ones")
    func refusal() async {
        let group = GroupCommit<Int, Void>(maximumBatch: 4, executor: RefusingExecutor()) { items in items.map { _ in .success(()) } }
        await withTaskGroup(of: Void.self) { tasks in
            for number in 0..<20 { tasks.addTask { await #expect(throws: Refused.self) { try await group.submit(number) } } }
        }
        await #expect(throws: Refused.self) { try await group.submit(99) }
    }

    @Test("a lone submission is handled at once, in place where the executor works in place")
    func alone() async throws {
        let group = GroupCommit<Int, Int>(maximumBatch: 4, executor: InlineExecutor()) { items in items.map { .success($0 + 1) } }
        for number in 0..<10 { #expect(try await group.submit(number) == number + 1) }
    }
}

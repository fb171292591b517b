import Core
import ObjectStore
import Testing

@Suite("What holds background movement back")
struct BackgroundControlTests {
    private let time = ManualTime()
    private let node = NodeID(uuid: UUIDv7(high: 1, low: 1))
    private let other = NodeID(uuid: UUIDv7(high: 1, low: 2))

    private func control(_ bytesPerSecond: Int) -> BackgroundControl { BackgroundControl(bytesPerSecond: bytesPerSecond, time: time) }

    /// Takes bytes that cannot be had at once.
    /// - Returns: how long that would have taken; then the clock is moved on by as much.
    private func wait(for byteCount: Int, to node: NodeID, from control: BackgroundControl) async throws -> Duration? {
        let taking = Task { try await control.take(byteCount, to: node) }
        try await eventually("it waits") { time.isSomebodyAsleep }
        let duration = time.slept.last
        time.advance(by: duration ?? .zero)
        try await taking.value
        return duration
    }

    @Test("lets so many bytes a second to each node, none of which wait for another's, and saves nothing up")
    func rate() async throws {
        let control = control(1_000)
        try await control.take(500, to: node)
        #expect(try await wait(for: 250, to: node, from: control) == .milliseconds(500))
        #expect(try await wait(for: 250, to: node, from: control) == .milliseconds(250))
        try await control.take(1, to: other)
        time.advance(by: .seconds(3600))
        try await control.take(2_000, to: node)
        #expect(try await wait(for: 1, to: node, from: control) == .seconds(2))
    }

    @Test("lets a sixteenth of it while clients are served, and all of it again afterwards")
    func sixteenth() async throws {
        let control = control(1_000)
        try await control.serving {
            try await control.take(500, to: node)
            #expect(try await wait(for: 500, to: node, from: control) == .seconds(8))
        }
        #expect(try await wait(for: 500, to: node, from: control) == .seconds(8))
        #expect(try await wait(for: 1, to: node, from: control) == .milliseconds(500))
    }

    @Test("without a limit waits for nothing, clients or not")
    func unlimited() async throws {
        let control = control(0)
        try await control.serving { for _ in 0..<100 { try await control.take(.max, to: node) } }
        #expect(time.slept.isEmpty)
    }

    @Test("ends with the task that waits")
    func cancellation() async throws {
        let control = control(1)
        try await control.take(1_000_000, to: node)
        let taking = Task { try await control.take(1, to: node) }
        try await eventually("it waits") { time.isSomebodyAsleep }
        taking.cancel()
        await #expect(throws: CancellationError.self) { try await taking.value }
    }
}

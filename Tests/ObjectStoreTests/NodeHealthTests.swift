import Core
import ObjectStore
import Testing

@Suite("The health of a node")
struct NodeHealthTests {
    private func at(_ seconds: Int64) -> MonotonicInstant { MonotonicInstant(nanoseconds: seconds * 1_000_000_000) }

    @Test("is in doubt after a failure, down when it lasts, and good again after one success")
    func lifeCycle() {
        var health = NodeHealth(downAfter: .seconds(3))
        #expect(health.state(at: at(0)) == .suspect)
        health.succeeded(at: at(1))
        #expect(health.state(at: at(1)) == .up)
        health.failed(at: at(10))
        health.failed(at: at(12))
        #expect(health.state(at: at(12)) == .suspect)
        #expect(health.state(at: at(13)) == .down)
        health.succeeded(at: at(20))
        #expect(health.state(at: at(20)) == .up)
    }

    @Test("is down, not merely in doubt, when the node has never answered")
    func neverSeen() {
        var health = NodeHealth(downAfter: .seconds(3))
        health.failed(at: at(0))
        #expect(health.state(at: at(0)) == .down)
    }
}

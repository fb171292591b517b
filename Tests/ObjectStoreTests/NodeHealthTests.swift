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

    @Test("once the disk has failed no probe makes it good again, only a trial: after 1, 2, 4 ... 60 s, one at a time")
    func halfOpen() {
        var health = NodeHealth(downAfter: .seconds(3))
        var isDue: Bool
        health.succeeded(at: at(0))
        isDue = health.beginTrial(at: at(0))
        #expect(!isDue)
        health.diskFailed(at: at(10))
        #expect(health.failingSince == at(10))
        var now: Int64 = 10
        for pause in [1, 2, 4, 8, 16, 32, 60, 60] as [Int64] {
            for second in now..<now + pause {
                health.succeeded(at: at(second))
                #expect(health.state(at: at(second)) == .failing)
                isDue = health.beginTrial(at: at(second))
                #expect(!isDue, "\(second)")
            }
            now += pause
            isDue = health.beginTrial(at: at(now))
            #expect(isDue)
            isDue = health.beginTrial(at: at(now + 1000))
            #expect(!isDue, "one at a time")
            // Calls that were on their way.
            health.diskFailed(at: at(now))
            health.trialFailed(at: at(now))
        }
        now += 60
        isDue = health.beginTrial(at: at(now))
        #expect(isDue)
        #expect(health.state(at: at(now)) == .failing)
        health.trialSucceeded(at: at(now))
        #expect(health.state(at: at(now)) == .up)
        #expect(health.failingSince == nil)
    }

    @Test(
        "a disk that works for a moment at a time is tried as rarely as before; one that worked for a minute is tried after a second again")
    func relapse() {
        var health = NodeHealth(downAfter: .seconds(3))
        var isDue: Bool
        health.succeeded(at: at(0))
        health.diskFailed(at: at(0))
        isDue = health.beginTrial(at: at(1))
        #expect(isDue)
        health.trialSucceeded(at: at(1))
        health.diskFailed(at: at(2))
        isDue = health.beginTrial(at: at(3))
        #expect(!isDue)
        isDue = health.beginTrial(at: at(4))
        #expect(isDue)
        health.trialSucceeded(at: at(4))
        health.diskFailed(at: at(64))
        isDue = health.beginTrial(at: at(65))
        #expect(isDue)
    }

    @Test("a node that is away is not tried; one that starts again is tried at once")
    func silenceAndRestart() {
        var health = NodeHealth(downAfter: .seconds(3))
        var isDue: Bool
        health.succeeded(at: at(0))
        health.diskFailed(at: at(0))
        health.failed(at: at(1))
        #expect(health.state(at: at(2)) == .suspect)
        #expect(health.state(at: at(4)) == .down)
        isDue = health.beginTrial(at: at(5))
        #expect(!isDue)
        health.succeeded(at: at(6))
        isDue = health.beginTrial(at: at(6))
        #expect(isDue)
        health.trialFailed(at: at(6))
        health.restarted(at: at(7))
        isDue = health.beginTrial(at: at(7))
        #expect(isDue)
    }

    @Test("is down, not merely in doubt, when the node has never answered")
    func neverSeen() {
        var health = NodeHealth(downAfter: .seconds(3))
        health.failed(at: at(0))
        #expect(health.state(at: at(0)) == .down)
    }
}

import Core
import ObjectStore
import Testing

@Suite("Latencies of reads")
struct ReadLatenciesTests {
    private static let nodes = (1...3).map { NodeID(uuid: UUIDv7(high: UInt64($0), low: 0)) }
    private var first: NodeID { Self.nodes[0] }

    private func instant(_ seconds: Double) -> MonotonicInstant { MonotonicInstant(nanoseconds: Int64(seconds * 1e9)) }

    /// All nodes answer in 2 ms, but for the first, which takes `milliseconds`.
    private func measured(first milliseconds: Int) -> ReadLatencies {
        let latencies = ReadLatencies()
        for _ in 0..<20 {
            for node in Self.nodes { latencies.note(.milliseconds(node == first ? milliseconds : 2), of: node, at: instant(0)) }
        }
        return latencies
    }

    @Test(
        "nodes about as fast as each other keep their order, one that is much slower comes last",
        arguments: [(2, false), (4, false), (200, true)])
    func order(milliseconds: Int, isSlow: Bool) {
        let order = measured(first: milliseconds).order(Self.nodes, at: instant(0.5))
        #expect(order == (isSlow ? [Self.nodes[1], Self.nodes[2], first] : Self.nodes))
    }

    @Test("without a measurement nothing is concluded")
    func unknown() {
        #expect(ReadLatencies().order(Self.nodes, at: instant(0)) == Self.nodes)
        #expect(ReadLatencies().hedgeDelay(among: Self.nodes) == .milliseconds(100))
    }

    @Test("a slow node is tried by one read at a time, less and less often while it stays slow, and is back when it is fast again")
    func halfOpen() {
        let latencies = measured(first: 200)
        var tries: [Int] = []
        for second in 1...120 where latencies.order(Self.nodes, at: instant(Double(second))).first == first {
            tries.append(second)
            #expect(latencies.order(Self.nodes, at: instant(Double(second))).first != first, "one read finds out, not all")
            latencies.noteGivenUp(.milliseconds(20), of: first, at: instant(Double(second)))
        }
        #expect((4...8).contains(tries.count), "\(tries)")
        #expect(zip(tries, tries.dropFirst()).map { $1 - $0 } == zip(tries, tries.dropFirst()).map { $1 - $0 }.sorted())
        for _ in 0..<20 { latencies.note(.milliseconds(2), of: first, at: instant(200)) }
        #expect(latencies.order(Self.nodes, at: instant(200)) == Self.nodes)
    }

    @Test("another node is asked after some multiple of what the fastest takes, within limits")
    func hedgeDelay() {
        #expect(measured(first: 2).hedgeDelay(among: Self.nodes) == .milliseconds(10))
        let slow = ReadLatencies()
        slow.note(.milliseconds(40), of: first, at: instant(0))
        #expect(abs((slow.hedgeDelay(among: Self.nodes) - .milliseconds(120)).nanoseconds) < 1_000_000)
        slow.note(.seconds(100), of: first, at: instant(0))
        #expect(slow.hedgeDelay(among: Self.nodes) == .milliseconds(500))
    }

    @Test("a cluster that is slow all over is asked twice for one read in ten at most")
    func budget() {
        let latencies = ReadLatencies()
        while latencies.takeHedge() {}
        var hedges = 0
        for _ in 0..<1000 {
            latencies.noteRead()
            if latencies.takeHedge() { hedges += 1 }
        }
        #expect((95...100).contains(hedges))
    }
}

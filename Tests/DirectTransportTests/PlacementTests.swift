import DirectTransport
import NIOCore
import NIOPosix
import Testing

@Suite("Where a connection is placed")
struct PlacementTests {
    private static let group = MultiThreadedEventLoopGroup.singleton

    @Test("with the caller's thread, or with another, where there is one")
    func loops() async throws {
        let loops = Array(Self.group.makeIterator())
        for loop in loops {
            try await loop.submit {
                for other in loops {
                    #expect(ConnectionPlacement.here.accepts(other) == (other === loop || loops.count == 1))
                    #expect(ConnectionPlacement.elsewhere.accepts(other) == (other !== loop || loops.count == 1))
                }
                #expect(ConnectionPlacement.here.loop(of: Self.group) === loop)
                for _ in 0..<10 { #expect((ConnectionPlacement.elsewhere.loop(of: Self.group) !== loop) == (loops.count > 1)) }
            }.get()
        }
    }

    @Test("anywhere for a caller that is on no event loop")
    func outside() {
        for loop in Self.group.makeIterator() {
            #expect(ConnectionPlacement.here.accepts(loop) && ConnectionPlacement.elsewhere.accepts(loop))
        }
    }
}

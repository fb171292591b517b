import Core
import ObjectStore
import Testing

@Suite("Blobs in use")
struct ActiveBlobsTests {
    private static let blob = BlobID(uuid: UUIDv7(high: 1, low: 1))

    @Test("the collector waits for a lookup that began before it looked, and then finds what that pinned")
    func lookups() async throws {
        let active = ActiveBlobs()
        let (begun, begin) = AsyncStream.makeStream(of: Void.self)
        let (released, release) = AsyncStream.makeStream(of: Void.self)
        async let pinned: PinnedBlobs = active.lookingUp {
            begin.finish()
            for await _ in released {}
            return PinnedBlobs([Self.blob], in: active)
        }
        for await _ in begun {}
        async let isKept: Bool = {
            try await active.waitForLookups()
            return active.contains(Self.blob)
        }()
        // The wait has no end of its own: only this ends it.
        release.finish()
        let (kept, pin) = (try await isKept, await pinned)
        #expect(kept)
        withExtendedLifetime(pin) {}
    }

    @Test("a wait that is given up ends, and the next one is none the worse")
    func givenUp() async throws {
        let active = ActiveBlobs()
        try await active.waitForLookups()
        let (begun, begin) = AsyncStream.makeStream(of: Void.self)
        let (released, release) = AsyncStream.makeStream(of: Void.self)
        async let later: Void = active.lookingUp {
            begin.finish()
            for await _ in released {}
        }
        for await _ in begun {}
        let wait = Task { try await active.waitForLookups() }
        wait.cancel()
        // It had begun before this wait, which therefore does not end by itself.
        await #expect(throws: CancellationError.self) { try await wait.value }
        release.finish()
        await later
        try await active.waitForLookups()
    }

    @Test("what was pinned is let go with the pin")
    func pins() {
        let active = ActiveBlobs()
        do {
            let pin = PinnedBlobs([Self.blob, Self.blob], in: active)
            #expect(active.contains(Self.blob))
            withExtendedLifetime(pin) {}
        }
        #expect(!active.contains(Self.blob))
    }
}

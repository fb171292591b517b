import Core
import Metadata
import ObjectStore
import Testing

/// What the collector leaves alone.
@Suite("Collection in a simulated cluster")
struct CollectionTests {
    @Test("an object that is deleted between its lookup and its reading is read whole, and collected then")
    func lookups() throws {
        try RebuildScene.run { scheduler in
            let scene = try await RebuildScene(scheduler)
            let bucket = try await scene.bucket("bucket")
            let object = try await scene.put("key", in: bucket, seed: 1)
            let store = try scene.store
            do {
                let pinned = try await store.lookingUp {
                    try await scene.delete(version: object)
                    // The collector would have been here many times.
                    try await scheduler.sleep(for: .seconds(300))
                    return store.pin(object)
                }
                try await scheduler.sleep(for: .seconds(300))
                #expect(try await scene.holds(object, seed: 1))
                withExtendedLifetime(pinned) {}
            }
            try await scene.waitUntilGone(object)
            await scene.cluster.stopDistributor()
        }
    }
}

internal import ChunkStore
internal import Core
internal import Logging
package import ServiceLifecycle

/// Looks after a node's disk while it runs: gives back the room of segments that are mostly dead.
package struct NodeMaintenance: Service {
    /// Deleting punches holes at once; this is for what the holes leave, so it need not hurry.
    package static let defaultInterval: Duration = .seconds(600)

    let store: ChunkStore
    let interval: Duration
    let logger: Logger

    package func run() async throws {
        try? await cancelWhenGracefulShutdown {
            while true {
                try await SystemTime().sleep(for: interval)
                await compact()
            }
        }
    }

    private func compact() async {
        do {
            let result = try await store.compact()
            guard result.segmentCount > 0 else { return }
            logger.info("segments compacted", metadata: ["segments": "\(result.segmentCount)", "freedBytes": "\(result.freedBytes)"])
        } catch {
            logger.warning("compaction failed", metadata: ["error": "\(error)"])
        }
    }
}

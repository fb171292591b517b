internal import ChunkStore
internal import Core
internal import Foundation
internal import Logging
internal import ServiceLifecycle

/// Re-reads a node's disk while it runs.
struct ScrubService: Service {
    private static let pauseAfterFailure: Duration = .seconds(60)

    let scrubber: Scrubber
    let logger: Logger

    func run() async throws {
        try? await cancelWhenGracefulShutdown {
            while true {
                do {
                    try await scrubber.run()
                } catch let error as ChunkStoreError {
                    logger.warning("scrub failed", metadata: ["error": "\(error)"])
                    try await SystemTime().sleep(for: Self.pauseAfterFailure)
                }
            }
        }
    }
}

/// Keeps the progress of a scrub in the file `scrub.json` of the data directory.
struct ScrubProgressFile: ScrubProgressStore {
    let directory: String
    let logger: Logger

    private var file: URL { URL(fileURLWithPath: "\(directory)/scrub.json") }

    func load() -> ScrubProgress? {
        // One that cannot be read is as good as none.
        try? JSONDecoder().decode(ScrubProgress.self, from: Data(contentsOf: file))
    }

    func save(_ progress: ScrubProgress) {
        do {
            try JSONEncoder().encode(progress).write(to: file, options: .atomic)
        } catch {
            logger.warning("the progress of the scrub was not saved", metadata: ["error": "\(error)"])
        }
    }
}

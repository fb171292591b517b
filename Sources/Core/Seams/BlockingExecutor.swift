public import NIOPosix

/// Where work goes that would hold up an event loop: system calls that wait for a disk, and hashing.
///
/// A seam: the servers use threads, the simulator runs the work in place.
public protocol BlockingExecutor: Sendable {
    /// Runs `work` off the calling task's executor and returns what it returns. Not cancelled once it has begun.
    func run<Value: Sendable>(_ work: @escaping @Sendable () throws -> Value) async throws -> Value
}

/// A fixed number of threads.
public struct ThreadPoolExecutor: BlockingExecutor {
    private let pool: NIOThreadPool

    /// - Parameter pool: already started; whoever made it shuts it down.
    public init(pool: NIOThreadPool) { self.pool = pool }

    /// Starts a pool that lives as long as the process.
    public init(threadCount: Int) {
        precondition(threadCount > 0)
        pool = NIOThreadPool(numberOfThreads: threadCount)
        pool.start()
    }

    public func run<Value: Sendable>(_ work: @escaping @Sendable () throws -> Value) async throws -> Value {
        // A job that NIO drops on cancellation would leave whoever waits for a commit without an answer.
        try await withCheckedThrowingContinuation { continuation in
            pool.submit { state in
                switch state {
                case .active: continuation.resume(with: Result { try work() })
                case .cancelled: continuation.resume(throwing: CancellationError())
                }
            }
        }
    }
}

/// Runs everything in place: for tests and the simulator.
public struct InlineExecutor: BlockingExecutor {
    public init() {}
    public func run<Value: Sendable>(_ work: @escaping @Sendable () throws -> Value) async throws -> Value { try work() }
}

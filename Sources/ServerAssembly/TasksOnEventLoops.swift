internal import NIOCore
internal import NIOPosix

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#else
    internal import Darwin
#endif

/// Runs Swift tasks on the event loops: no hop between a socket and the code that handles its bytes.
///
/// NIO has the same to offer, but runs each job as one of its event loop, which is an executor of its own to the runtime: at every call of an
/// async function, and at every return from one, the task changed executors, that is, was queued once more. Here a job is run as what it
/// is, one of the global executor (docs/measurements.md).
enum TasksOnEventLoops {
    private typealias Original = @convention(thin) (UnownedJob) -> Void
    private typealias Hook = @convention(thin) (UnownedJob, Original) -> Void

    /// Before any Swift concurrency runs. A runtime without the hook, or of a version of which it is not known, keeps its own threads.
    static func install() {
        #if compiler(<6.4)
            guard let symbol = dlsym(dlopen(nil, RTLD_NOW), "swift_task_enqueueGlobal_hook") else { return }
            let hook = symbol.assumingMemoryBound(to: Hook?.self)
            guard hook.pointee == nil else { return }
            hook.pointee = { job, _ in
                // The loop of this thread, if it has one.
                MultiThreadedEventLoopGroup.singleton.any().execute { job.runSynchronously(on: TasksOnEventLoops.globalExecutor) }
            }
        #endif
    }

    /// The runtime's reference to the global executor: no object and no witness table.
    private static let globalExecutor = unsafeBitCast((0 as UInt, 0 as UInt), to: UnownedSerialExecutor.self)
}

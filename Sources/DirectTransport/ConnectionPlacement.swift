package import NIOCore
package import NIOPosix

/// Which thread is to handle the connection that a call gets.
public enum ConnectionPlacement: Sendable {
    /// That of the caller: what comes is handed on without a change of threads, which is most of what a short call costs.
    case here
    /// Another: what much comes is received while the caller's thread sends on what has come before.
    case elsewhere

    private static let hasOneLoop = MultiThreadedEventLoopGroup.singleton.makeIterator().reduce(0) { count, _ in count + 1 } == 1

    /// For the calls made in a task.
    @TaskLocal public static var current = here

    /// Whether a connection on `loop` is placed so. Anywhere will do for a caller that is on no event loop.
    package func accepts(_ loop: any EventLoop) -> Bool {
        guard MultiThreadedEventLoopGroup.currentEventLoop != nil, !Self.hasOneLoop else { return true }
        return loop.inEventLoop == (self == .here)
    }

    /// Where to make a connection.
    package func loop(of group: MultiThreadedEventLoopGroup) -> any EventLoop {
        guard self == .elsewhere else { return group.any() }
        let loop = group.next()
        return loop.inEventLoop ? group.next() : loop
    }
}

internal import Core
internal import NIOCore

/// Watches that a client does what its connection waits for in the time that ``HTTPLimits`` give it.
///
/// Lives on the connection's event loop. One timer a connection: when it fires too early, because the deadline has moved on
/// meanwhile, it is set again, which is far cheaper than a timer for each request.
final class ConnectionDeadline {
    /// What the connection waits for the client to do.
    enum Awaited {
        /// Begin a request.
        case request
        /// Send the rest of a request's head.
        case head
        /// Send more of a request's body.
        case body
        /// Take what was written of a response.
        case responseRead
        /// Close the connection.
        case close
    }

    private let eventLoop: any EventLoop
    private let limits: HTTPLimits
    private let pendingOutput: () -> Int
    private let expire: (Awaited) -> Void
    private var deadline: (at: NIODeadline, awaited: Awaited)?
    private var timer: (at: NIODeadline, scheduled: Scheduled<Void>)?
    private var lastPendingOutput = 0

    /// - Parameters:
    ///   - pendingOutput: bytes that the client has not taken yet.
    ///   - expire: called when the client has let its time pass.
    init(eventLoop: any EventLoop, limits: HTTPLimits, pendingOutput: @escaping () -> Int, expire: @escaping (Awaited) -> Void) {
        self.eventLoop = eventLoop
        self.limits = limits
        self.pendingOutput = pendingOutput
        self.expire = expire
    }

    var awaited: Awaited? { deadline?.awaited }

    /// The client has its time again from now on.
    func wait(for awaited: Awaited) {
        let duration =
            switch awaited {
            case .request: limits.idleTime
            case .head: limits.headerTime
            case .body: limits.bodyStallTime
            case .responseRead: limits.responseStallTime
            case .close: limits.lingerTime
            }
        let at = NIODeadline.now() + .nanoseconds(duration.nanoseconds)
        deadline = (at, awaited)
        if let timer, timer.at <= at { return }
        timer?.scheduled.cancel()
        setTimer(at)
    }

    /// It is not the client that is being waited for.
    func waitForNothing() { deadline = nil }

    func cancel() {
        deadline = nil
        timer?.scheduled.cancel()
        timer = nil
    }

    private func setTimer(_ at: NIODeadline) {
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        timer = (at, eventLoop.scheduleTask(deadline: at) { bound.value.timerFired() })
    }

    private func timerFired() {
        timer = nil
        guard let deadline else { return }
        guard deadline.at <= .now() else { return setTimer(deadline.at) }
        // Slow is not stalled: as long as the client takes something of its response, it has time.
        let pending = pendingOutput()
        if pending > 0, pending != lastPendingOutput, deadline.awaited == .responseRead || deadline.awaited == .request {
            lastPendingOutput = pending
            return wait(for: deadline.awaited)
        }
        self.deadline = nil
        expire(deadline.awaited)
    }
}

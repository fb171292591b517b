internal import NIOCore
import Synchronization

/// What has arrived of a body and was not read yet: filled by the connection's event loop, emptied by the request's task.
final class BodyBuffer: Sendable {
    private struct State {
        var buffers: [ByteBuffer] = []
        var head = 0
        /// Memory held, which for a slice is that of the whole buffer it was cut from.
        var heldBytes = 0
        var ended: Result<Void, any Error>?
        var demanded = false
        var paused = false
        var reader: CheckedContinuation<ByteBuffer?, any Error>?
        var receivedBytes: Int64 = 0

        mutating func pop() -> ByteBuffer? {
            guard head < buffers.count else { return nil }
            let buffer = buffers[head]
            // Let go of the memory even while the slot stays.
            buffers[head] = ByteBuffer()
            head += 1
            if head == buffers.count {
                buffers.removeAll(keepingCapacity: true)
                head = 0
            }
            heldBytes -= buffer.storageCapacity
            return buffer
        }
    }

    private let state = Mutex(State())
    private let capacity: Int
    private let onFirstDemand: @Sendable () -> Void
    private let onRoom: @Sendable () -> Void

    /// - Parameters:
    ///   - capacity: bytes beyond which no more should be read from the client.
    ///   - onFirstDemand: called once, when a reader first waits for bytes that are not there.
    ///   - onRoom: called when, after ``isFull`` said yes, there is room again.
    init(capacity: Int, onFirstDemand: @escaping @Sendable () -> Void, onRoom: @escaping @Sendable () -> Void) {
        self.capacity = capacity
        self.onFirstDemand = onFirstDemand
        self.onRoom = onRoom
    }

    /// Bytes that have come in so far.
    var receivedBytes: Int64 { state.withLock { $0.receivedBytes } }

    /// Whether reading from the client should stop; if so, `onRoom` will tell when to go on.
    func isFull() -> Bool {
        state.withLock { state in
            state.paused = state.heldBytes >= capacity
            return state.paused
        }
    }

    func append(_ buffer: ByteBuffer) {
        let reader = state.withLock { state -> CheckedContinuation<ByteBuffer?, any Error>? in
            guard state.ended == nil else { return nil }
            state.receivedBytes += Int64(buffer.readableBytes)
            if let reader = state.reader {
                state.reader = nil
                return reader
            }
            state.buffers.append(buffer)
            state.heldBytes += buffer.storageCapacity
            return nil
        }
        reader?.resume(returning: buffer)
    }

    /// Ends the body after what is in it. The first call counts.
    func finish(_ error: (any Error)?) {
        let reader = state.withLock { state -> CheckedContinuation<ByteBuffer?, any Error>? in
            guard state.ended == nil else { return nil }
            state.ended = error.map { .failure($0) } ?? .success(())
            defer { state.reader = nil }
            return state.reader
        }
        guard let reader else { return }
        if let error { reader.resume(throwing: error) } else { reader.resume(returning: nil) }
    }

    /// Drops what nobody will read.
    func discard() {
        state.withLock { state in
            state.buffers = []
            state.head = 0
            state.heldBytes = 0
        }
    }

    func next() async throws -> ByteBuffer? {
        if let ready = try readyBuffer() { return ready }
        return try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                let (outcome, signals) = state.withLock { state -> (Result<ByteBuffer?, any Error>?, Signals) in
                    if let buffer = state.pop() { return (.success(buffer), self.signals(&state)) }
                    if let ended = state.ended { return (ended.map { nil }, Signals()) }
                    if Task.isCancelled { return (.failure(CancellationError()), Signals()) }
                    precondition(state.reader == nil, "a request body has one reader")
                    state.reader = continuation
                    return (nil, self.signals(&state, waiting: true))
                }
                send(signals)
                if let outcome { continuation.resume(with: outcome) }
            }
        } onCancel: {
            let reader = state.withLock { state in
                defer { state.reader = nil }
                return state.reader
            }
            reader?.resume(throwing: CancellationError())
        }
    }

    /// The common case, without a continuation.
    private func readyBuffer() throws -> ByteBuffer? {
        try Task.checkCancellation()
        let (buffer, signals) = state.withLock { state -> (ByteBuffer?, Signals) in
            guard let buffer = state.pop() else { return (nil, Signals()) }
            return (buffer, self.signals(&state))
        }
        send(signals)
        return buffer
    }

    private struct Signals {
        var firstDemand = false
        var room = false
    }

    private func signals(_ state: inout State, waiting: Bool = false) -> Signals {
        var signals = Signals()
        if waiting, !state.demanded {
            state.demanded = true
            signals.firstDemand = true
        }
        if state.paused, state.heldBytes <= capacity / 2 {
            state.paused = false
            signals.room = true
        }
        return signals
    }

    private func send(_ signals: Signals) {
        if signals.firstDemand { onFirstDemand() }
        if signals.room { onRoom() }
    }
}

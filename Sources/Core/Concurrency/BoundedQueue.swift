import Synchronization

/// A queue between one producer and one consumer that holds at most `capacity` elements: the back-pressure between stages.
///
/// `send` waits while the queue is full, `next` while it is empty. Either side can end it: ``finish(throwing:)`` by the
/// producer lets the consumer drain what is queued first; ``cancel()`` by the consumer makes every further `send` throw.
/// Safe to use from any thread.
public final class BoundedQueue<Element: Sendable>: Sendable, AsyncSequence {
    public struct Cancelled: Error {}

    private struct State {
        var elements: [Element] = []
        var head = 0
        var finished: Result<Void, any Error>?
        var cancelled = false
        var producer: CheckedContinuation<Void, any Error>?
        var consumer: CheckedContinuation<Element?, any Error>?

        var count: Int { elements.count - head }

        mutating func pop() -> Element {
            let element = elements[head]
            head += 1
            if head == elements.count || head >= 64 {
                elements.removeFirst(head)
                head = 0
            }
            return element
        }
    }

    private let capacity: Int
    private let state = Mutex(State())

    public init(capacity: Int) {
        precondition(capacity > 0)
        self.capacity = capacity
    }

    /// Whether a `send` would wait now.
    public var isFull: Bool { state.withLock { $0.count >= capacity } }

    /// Waits for room, then appends.
    /// - Throws: ``Cancelled`` when the consumer has gone, `CancellationError` when the calling task is cancelled.
    public func send(_ element: Element) async throws {
        while true {
            if try offer(element) { return }
            try await waitForRoom()
        }
    }

    /// Appends if there is room.
    /// - Throws: ``Cancelled`` when the consumer has gone.
    public func offer(_ element: Element) throws -> Bool {
        let (accepted, consumer) = try state.withLock { state throws -> (Bool, CheckedContinuation<Element?, any Error>?) in
            if state.cancelled { throw Cancelled() }
            precondition(state.finished == nil, "send after finish")
            if let consumer = state.consumer {
                state.consumer = nil
                return (true, consumer)
            }
            guard state.count < capacity else { return (false, nil) }
            state.elements.append(element)
            return (true, nil)
        }
        consumer?.resume(returning: element)
        return accepted
    }

    private func waitForRoom() async throws {
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                let outcome: Result<Void, any Error>? = state.withLock { state in
                    if state.cancelled { return .failure(Cancelled()) }
                    if Task.isCancelled { return .failure(CancellationError()) }
                    if state.count < capacity { return .success(()) }
                    precondition(state.producer == nil, "a BoundedQueue has one producer")
                    state.producer = continuation
                    return nil
                }
                if let outcome { continuation.resume(with: outcome) }
            }
        } onCancel: {
            let producer = state.withLock { state in
                defer { state.producer = nil }
                return state.producer
            }
            producer?.resume(throwing: CancellationError())
        }
    }

    /// Ends the queue for the consumer, after what is already in it. The first call counts.
    public func finish(throwing error: (any Error)? = nil) {
        let consumer = state.withLock { state -> CheckedContinuation<Element?, any Error>? in
            guard state.finished == nil else { return nil }
            state.finished = error.map { .failure($0) } ?? .success(())
            defer { state.consumer = nil }
            return state.consumer
        }
        guard let consumer else { return }
        if let error { consumer.resume(throwing: error) } else { consumer.resume(returning: nil) }
    }

    /// Ends the queue for the consumer at once: what is queued is dropped. Nothing if it has ended already.
    public func abandon(throwing error: any Error) {
        let consumer = state.withLock { state -> CheckedContinuation<Element?, any Error>? in
            guard !state.cancelled else { return nil }
            if state.finished == nil || state.count > 0 { state.finished = .failure(error) }
            state.elements = []
            state.head = 0
            defer { state.consumer = nil }
            return state.consumer
        }
        consumer?.resume(throwing: error)
    }

    /// The consumer takes no more: what is queued is dropped, and `send` and `next` throw ``Cancelled``, waiting ones too.
    public func cancel() {
        let (producer, consumer) = state.withLock { state in
            state.cancelled = true
            state.elements = []
            state.head = 0
            defer {
                state.producer = nil
                state.consumer = nil
            }
            return (state.producer, state.consumer)
        }
        producer?.resume(throwing: Cancelled())
        consumer?.resume(throwing: Cancelled())
    }

    /// The next element, or nil after the end.
    /// - Throws: what ``finish(throwing:)`` was given, ``Cancelled`` after ``cancel()``, or `CancellationError`.
    public func next() async throws -> Element? {
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                let (outcome, producer) = state.withLock {
                    state -> (Result<Element?, any Error>?, CheckedContinuation<Void, any Error>?) in
                    if state.count > 0 {
                        let element = state.pop()
                        defer { state.producer = nil }
                        return (.success(element), state.producer)
                    }
                    if state.cancelled { return (.failure(Cancelled()), nil) }
                    if let finished = state.finished { return (finished.map { nil }, nil) }
                    if Task.isCancelled { return (.failure(CancellationError()), nil) }
                    precondition(state.consumer == nil, "a BoundedQueue has one consumer")
                    state.consumer = continuation
                    return (nil, nil)
                }
                producer?.resume()
                if let outcome { continuation.resume(with: outcome) }
            }
        } onCancel: {
            let consumer = state.withLock { state in
                defer { state.consumer = nil }
                return state.consumer
            }
            consumer?.resume(throwing: CancellationError())
        }
    }

    /// The next element, if there is one already.
    public func nextIfQueued() -> Element? {
        let (element, producer) = state.withLock { state -> (Element?, CheckedContinuation<Void, any Error>?) in
            guard state.count > 0 else { return (nil, nil) }
            defer { state.producer = nil }
            return (state.pop(), state.producer)
        }
        producer?.resume()
        return element
    }

    /// Everything that can be had without waiting, in order; possibly nothing.
    public func takeQueued() -> [Element] {
        let (elements, producer) = state.withLock { state -> ([Element], CheckedContinuation<Void, any Error>?) in
            var elements: [Element] = []
            while state.count > 0 { elements.append(state.pop()) }
            guard !elements.isEmpty else { return ([], nil) }
            defer { state.producer = nil }
            return (elements, state.producer)
        }
        producer?.resume()
        return elements
    }

    public struct AsyncIterator: AsyncIteratorProtocol {
        let queue: BoundedQueue
        public mutating func next() async throws -> Element? { try await queue.next() }
        public mutating func next(isolation actor: isolated (any Actor)?) async throws -> Element? { try await queue.next() }
    }

    public func makeAsyncIterator() -> AsyncIterator { AsyncIterator(queue: self) }
}

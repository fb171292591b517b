internal import ChunkTransport
internal import Core
internal import GRPCCore
internal import Synchronization

/// Counts the calls in progress, so that a server that shuts down can let them finish before it touches their connections.
///
/// gRPC's own graceful shutdown breaks a connection, and every call on it, when a new call comes in as it begins.
final class CallGate: Sendable {
    private struct State {
        var isShut = false
        var inProgress = 0
    }

    /// A call in progress. It ends when gRPC lets go of it, whatever became of the call.
    fileprivate final class Pass: Sendable {
        private let gate: CallGate
        init(_ gate: CallGate) { self.gate = gate }
        deinit { gate.leave() }
    }

    private let state = Mutex(State())
    private let emptied = Signal()

    /// Refuses all further calls.
    func shut() {
        let isEmpty = state.withLock { state in
            state.isShut = true
            return state.inProgress == 0
        }
        if isEmpty { emptied.raise() }
    }

    /// Waits, once the gate is shut, for the calls in progress. One task waits at a time.
    /// - Throws: `CancellationError`.
    func waitUntilEmpty() async throws {
        while state.withLock({ !$0.isShut || $0.inProgress > 0 }) { try await emptied.wait() }
    }

    /// - Throws: ``NodeError/shuttingDown`` once the gate is shut.
    fileprivate func enter() throws -> Pass {
        try state.withLock { state in
            guard !state.isShut else { throw NodeError.shuttingDown }
            state.inProgress += 1
        }
        return Pass(self)
    }

    private func leave() {
        let isLast = state.withLock { state in
            state.inProgress -= 1
            return state.isShut && state.inProgress == 0
        }
        if isLast { emptied.raise() }
    }
}

/// Has every call pass the gate.
struct CallGateInterceptor: ServerInterceptor {
    let gate: CallGate

    func intercept<Input: Sendable, Output: Sendable>(
        request: StreamingServerRequest<Input>, context: ServerContext,
        next: @Sendable (StreamingServerRequest<Input>, ServerContext) async throws -> StreamingServerResponse<Output>
    ) async throws -> StreamingServerResponse<Output> {
        let pass = try await answering { try gate.enter() }
        var response = try await next(request, context)
        guard case .success(var contents) = response.accepted else { return response }
        // The answer is produced later, and counts too.
        let producer = contents.producer
        contents.producer = { writer in
            defer { withExtendedLifetime(pass) {} }
            return try await producer(writer)
        }
        response.accepted = .success(contents)
        return response
    }
}

/// The parts of a request or of an answer, each taken when it is asked for.
struct DirectParts<Element: Sendable>: AsyncSequence, Sendable {
    /// The next part; nil after the last.
    let next: @Sendable () async throws -> Element?

    struct AsyncIterator: AsyncIteratorProtocol {
        let parts: DirectParts
        func next() async throws -> Element? { try await parts.next() }
        func next(isolation actor: isolated (any Actor)?) async throws -> Element? { try await parts.next() }
    }

    func makeAsyncIterator() -> AsyncIterator { AsyncIterator(parts: self) }
}

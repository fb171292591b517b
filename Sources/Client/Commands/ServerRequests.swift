/// Which requests are sent again, and when.
extension ConnectionOptions {
    /// Sends a request that changes nothing until it is answered, or has failed too often.
    func asking<Answer>(_ console: Console, _ request: () async throws -> Answer) async throws -> Answer {
        var retries = retryPolicy
        while true {
            do {
                return try await request()
            } catch let error as ClientError {
                try await retries.wait(after: error) { console.note("chunkflow: \($0)") }
            }
        }
    }

    /// Sends a request that changes something, again only while it cannot have arrived.
    /// - Parameter command: shows whether the change was made.
    func ordering<Answer>(
        _ console: Console, shownBy command: String = "chunkflow cluster status", _ request: () async throws -> Answer
    ) async throws -> Answer {
        var retries = retryPolicy
        while true {
            do {
                return try await request()
            } catch let error as ClientError {
                switch error {
                case .unreachable: try await retries.wait(after: error) { console.note("chunkflow: \($0)") }
                case .connectionLost(let detail): throw ClientError.changeUnknown(detail: detail, shownBy: command)
                default: throw error
                }
            }
        }
    }
}

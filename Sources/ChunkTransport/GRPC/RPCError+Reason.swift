package import GRPCCore

extension RPCError {
    /// What went wrong, for people.
    package var reason: String {
        if case .invalid(let detail) = NodeError(self, address: "") { return detail }
        return message.isEmpty ? "\(code)" : message
    }
}

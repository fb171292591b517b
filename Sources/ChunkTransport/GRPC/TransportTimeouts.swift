/// How long a distributor waits for a storage node.
public struct TransportTimeouts: Hashable, Sendable {
    /// A call with a short answer: information, claim, stat, list, delete, descriptor.
    public var call: Duration
    /// A fragment in motion that makes no progress because of the node.
    public var stall: Duration
    /// A node fetching a whole fragment from a peer.
    public var pull: Duration

    public init(call: Duration = .seconds(5), stall: Duration = .seconds(10), pull: Duration = .seconds(120)) {
        self.call = call
        self.stall = stall
        self.pull = pull
    }
}

package import ChunkTransport
package import Core
package import Logging
internal import ServiceLifecycle

/// Makes a storage node a member of a distributor's cluster, and keeps telling the distributor where the node is.
package struct JoinLoop: Service {
    /// The distributor will not have the node, whoever asks how often.
    package struct Refused: Error, CustomStringConvertible {
        package let reason: MembershipError
        package var description: String { "join: \(reason)" }
    }

    /// Between two announcements of a member: a distributor that was started again has forgotten nothing but who is alive.
    package static let interval = Duration.seconds(10)
    private static let shortestPause = Duration.milliseconds(250)
    private static let longestPause = Duration.seconds(5)

    private let client: MembershipClient
    private let node: NodeID
    private let instance: UInt64
    private let address: @Sendable () async throws -> HostPort
    private let time: any TimeSource
    private let logger: Logger

    /// - Parameter address: waits until the node listens, and says where others reach it.
    package init(
        client: MembershipClient, node: NodeID, instance: UInt64, address: @escaping @Sendable () async throws -> HostPort,
        time: any TimeSource, logger: Logger
    ) {
        self.client = client
        self.node = node
        self.instance = instance
        self.address = address
        self.time = time
        self.logger = logger
    }

    /// Runs until a graceful shutdown, or cancellation, which end it at once.
    /// - Throws: ``Refused`` when the distributor refuses a node that it has not admitted before; what `address` throws.
    package func run() async throws {
        do {
            try await cancelWhenGracefulShutdown {
                try await withThrowingTaskGroup(of: Void.self) { group in
                    group.addTask { await client.run() }
                    defer { group.cancelAll() }
                    try await announce(try await address())
                }
            }
        } catch is CancellationError {}
    }

    private func announce(_ address: HostPort) async throws {
        var isMember = false
        var trouble: MembershipError?
        var pause = Self.shortestPause
        while true {
            do {
                let membership = try await client.join(node: node, address: address, instance: instance)
                if !isMember || trouble != nil { logJoined(membership, address, again: isMember) }
                (isMember, trouble, pause) = (true, nil, Self.shortestPause)
                try await time.sleep(for: Self.interval)
            } catch let error as MembershipError {
                // A member serves what it holds, whatever became of the distributor: one that was started with a wrong setting
                // must not bring down all nodes.
                if error.isFinal, !isMember { throw Refused(reason: error) }
                if !error.isSame(as: trouble) { logger.warning("not joined", metadata: ["reason": "\(error)"]) }
                trouble = error
                try await time.sleep(for: error.isFinal ? Self.interval : pause)
                pause = min(pause * 2, Self.longestPause)
            }
        }
    }

    private func logJoined(_ membership: Membership, _ address: HostPort, again: Bool) {
        logger.notice(
            again ? "joined again" : "joined",
            metadata: [
                "cluster": "\(membership.cluster)", "layout": "\(membership.layoutVersion)", "node": "\(node)", "address": "\(address)",
            ])
    }
}

extension MembershipError {
    /// Whether a person who has read of `other` knows it already. What is seen of a distributor that is away changes with every try.
    fileprivate func isSame(as other: MembershipError?) -> Bool {
        if case .unreachable = self, case .unreachable = other { return true }
        return self == other
    }
}

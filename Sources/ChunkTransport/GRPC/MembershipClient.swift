internal import ClusterProtocol
public import Core
internal import Foundation
internal import GRPCCore
internal import GRPCNIOTransportHTTP2Posix
internal import SwiftProtobuf

/// What a distributor says to a node that is a member.
public struct Membership: Hashable, Sendable {
    public let cluster: ClusterID
    public let layoutVersion: Int
}

/// Why a distributor did not make a node a member.
public enum MembershipError: Error, Hashable, Sendable, CustomStringConvertible {
    /// It does not answer. Trying again can help.
    case unreachable(distributor: String, detail: String)
    /// It cannot do it now, and says why. Trying again can help.
    case postponed(distributor: String, detail: String)
    /// It wants another cluster secret.
    case unauthenticated(distributor: String)
    /// It does not want the node, or does not understand it.
    case refused(distributor: String, detail: String)

    /// Whether a person must change something first.
    public var isFinal: Bool {
        switch self {
        case .unreachable, .postponed: false
        case .unauthenticated, .refused: true
        }
    }

    public var description: String {
        switch self {
        case .unreachable(let distributor, let detail): "the distributor at \(distributor) does not answer: \(detail)"
        case .postponed(let distributor, let detail): "the distributor at \(distributor) cannot admit this node now: \(detail)"
        case .unauthenticated(let distributor): "the distributor at \(distributor) wants another cluster secret"
        case .refused(let distributor, let detail): "the distributor at \(distributor) refuses this node: \(detail)"
        }
    }
}

/// The way from a storage node to the distributor that it joins.
///
/// Keep ``run()`` running while calls are made. Safe to use from any task.
public final class MembershipClient: Sendable {
    private let distributor: String
    private let connection: NodeConnection
    private let metadata: Metadata
    private let timeout: Duration
    private let time: any TimeSource

    /// - Parameters:
    ///   - distributor: its cluster address; a name is resolved when a connection is made.
    ///   - secret: the cluster secret, sent with every call.
    ///   - timeout: for a call. The distributor calls the node in the meantime.
    /// - Throws: ``MembershipError/unreachable`` when no connection can ever be made.
    public convenience init(distributor: HostPort, secret: String?, timeout: Duration = .seconds(15), time: any TimeSource) throws {
        try self.init(
            distributor: distributor, secret: secret, timeout: timeout, time: time, protocolVersion: ClusterMetadata.currentVersion)
    }

    /// - Parameter protocolVersion: for tests, which speak others.
    package init(distributor: HostPort, secret: String?, timeout: Duration, time: any TimeSource, protocolVersion: String) throws {
        self.distributor = distributor.description
        self.timeout = timeout
        self.time = time
        metadata = ClusterMetadata.ofCall(secret: secret, version: protocolVersion)
        do {
            connection = try NodeConnection(to: distributor, time: time)
        } catch {
            throw MembershipError.unreachable(distributor: distributor.description, detail: "\(error)")
        }
    }

    /// Keeps the connection until the task is cancelled.
    public func run() async {
        // What goes wrong with it is told to the calls that needed it.
        try? await connection.client.runConnections()
    }

    /// Asks for membership, or tells a distributor whose member the node is where it is now.
    /// - Parameters:
    ///   - address: `host:port` under which others reach the node; for an unspecified host the distributor takes the caller's.
    ///   - instance: the node's ``NodeInformation/instance``.
    /// - Throws: ``MembershipError``, `CancellationError`.
    public func join(node: NodeID, address: HostPort, instance: UInt64) async throws -> Membership {
        let request = Chunkflow_Cluster_V1_JoinRequest.with {
            $0.node = Data(node.bytes)
            $0.address = address.description
            $0.instance = instance
        }
        do {
            return try await withDeadline(timeout, time: time) { try self.membership(try await self.call(request)) }
        } catch {
            if Task.isCancelled { throw CancellationError() }
            throw failure(error)
        }
    }

    /// Finds out whether there is a distributor that a node with this cluster secret can join, and changes nothing.
    /// - Throws: ``MembershipError``, `CancellationError`.
    public func probe() async throws {
        do {
            // Names no node: whoever got as far as to read it refuses it for that.
            _ = try await withDeadline(timeout, time: time) { try await self.call(Chunkflow_Cluster_V1_JoinRequest()) }
        } catch let error as RPCError where error.code == .invalidArgument {
        } catch {
            if Task.isCancelled { throw CancellationError() }
            throw failure(error)
        }
    }

    private func call(_ request: Chunkflow_Cluster_V1_JoinRequest) async throws -> Chunkflow_Cluster_V1_JoinResponse {
        var options = CallOptions.defaults
        options.timeout = timeout
        // A distributor that is known to be away is said so at once.
        options.waitForReady = false
        return try await Chunkflow_Cluster_V1_Membership.Client(wrapping: connection.client)
            .join(request, metadata: metadata, options: options)
    }

    private func membership(_ response: Chunkflow_Cluster_V1_JoinResponse) throws -> Membership {
        guard let cluster = ClusterID(bytes: response.cluster), let layoutVersion = Int(exactly: response.layoutVersion) else {
            throw MembershipError.refused(distributor: distributor, detail: "its answer is of the wrong form")
        }
        return Membership(cluster: cluster, layoutVersion: layoutVersion)
    }

    private func failure(_ error: any Error) -> MembershipError {
        switch error {
        case let error as MembershipError: return error
        case is DeadlineExceeded: return unreachable("no answer in time")
        case let error as RPCError: return failure(error)
        default: return unreachable("\(error)")
        }
    }

    private func failure(_ error: RPCError) -> MembershipError {
        switch error.code {
        case .unauthenticated: return .unauthenticated(distributor: distributor)
        case .permissionDenied, .alreadyExists, .failedPrecondition, .invalidArgument:
            return .refused(distributor: distributor, detail: error.reason)
        case .unimplemented:
            return .refused(distributor: distributor, detail: "it takes no storage nodes; is this a distributor's cluster address?")
        case .deadlineExceeded: return unreachable("no answer in time")
        case .internalError, .aborted: return .postponed(distributor: distributor, detail: error.reason)
        // gRPC itself says so too; only what was answered has a detail.
        case .unavailable where error.metadata[binaryValues: ClusterMetadata.error].contains { _ in true }:
            return .postponed(distributor: distributor, detail: error.reason)
        default: return unreachable("\(error)")
        }
    }

    private func unreachable(_ detail: String) -> MembershipError {
        .unreachable(distributor: distributor, detail: connection.failed(detail))
    }
}

internal import ChunkTransport
internal import ClusterProtocol
internal import Core
internal import Foundation
internal import GRPCCore
internal import ObjectStore
internal import SwiftProtobuf

/// Storage nodes that join, as calls of the cluster's administration.
struct MembershipService: Chunkflow_Cluster_V1_Membership.SimpleServiceProtocol {
    let administration: any ClusterAdministration

    func join(request: Chunkflow_Cluster_V1_JoinRequest, context: ServerContext) async throws -> Chunkflow_Cluster_V1_JoinResponse {
        guard let node = NodeID(bytes: request.node) else {
            throw RPCError(code: .invalidArgument, message: "a node id of the wrong form")
        }
        let address = try NodeAddress.reachable(request.address, caller: context.remotePeer).description
        let answer: JoinAnswer
        do {
            answer = try await administration.join(JoinRequest(node: node, address: address, instance: request.instance))
        } catch {
            throw refusal(of: node, at: address, for: error)
        }
        return .with {
            $0.cluster = Data(answer.cluster.bytes)
            $0.layoutVersion = UInt64(answer.layoutVersion)
        }
    }

    /// What the node is told, and what it may make of it: `permissionDenied` and `invalidArgument` are for good, the others not.
    private func refusal(of node: NodeID, at address: String, for error: any Error) -> RPCError {
        switch error {
        case AdministrationError.notAdmitted(let detail):
            return RPCError(code: .permissionDenied, message: "node \(node) at \(address) is not admitted: \(detail)")
        case AdministrationError.removed(let node):
            return RPCError(
                code: .aborted, message: "node \(node) was removed from the cluster; chunkflow cluster restore \(node) takes it back")
        case AdministrationError.invalid(let detail):
            return RPCError(code: .invalidArgument, message: "node \(node) at \(address) cannot be admitted: \(detail)")
        case AdministrationError.unreachable(let tried, let detail):
            // With its detail, so that the node does not take it for a distributor that is away.
            var answer = NodeError.unreachable(address: tried, detail: detail).rpcError
            answer.message = "the distributor cannot reach node \(node) at \(tried): \(detail)"
            return answer
        case is CancellationError:
            return RPCError(code: .cancelled, message: "cancelled")
        default:
            return RPCError(code: .internalError, message: "node \(node) at \(address) cannot be admitted now: \(error)", cause: error)
        }
    }
}

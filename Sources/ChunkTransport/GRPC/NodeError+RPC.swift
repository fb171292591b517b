internal import ClusterProtocol
internal import Core
internal import Foundation
package import GRPCCore
internal import SwiftProtobuf

/// ``NodeError`` as gRPC carries it: a status code for people and proxies, every detail in the trailing metadata.
extension NodeError {
    private typealias Detail = Chunkflow_Storage_V1_NodeErrorDetail

    package var rpcError: RPCError {
        // Read by servers of other versions, which need not know any detail.
        if case .incompatible(let detail) = self { return RPCError(code: code, message: detail) }
        let bytes: [UInt8]? = try? detail.serializedBytes()
        var metadata = Metadata()
        if let bytes { metadata.addBinary(bytes, forKey: ClusterMetadata.error) }
        return RPCError(code: code, message: "\(self)", metadata: metadata)
    }

    /// - Parameter address: of the node that was called.
    package init(_ error: RPCError, address: String) {
        if let bytes = error.metadata[binaryValues: ClusterMetadata.error].first(where: { _ in true }),
            let detail = try? Detail(serializedBytes: bytes), let decoded = NodeError(detail)
        {
            self = decoded
        } else if error.code == .unauthenticated {
            self = .unauthenticated(address: address)
        } else if error.code == .failedPrecondition {
            self = .incompatible(detail: error.message)
        } else if error.code == .resourceExhausted {
            // Only gRPC itself says so without a detail: a message beyond the limit.
            self = .invalid(detail: error.message)
        } else if error.code == .deadlineExceeded {
            self = .unreachable(address: address, detail: "no answer in time")
        } else {
            self = .unreachable(address: address, detail: "\(error)")
        }
    }

    private var code: RPCError.Code {
        switch self {
        case .notFound: .notFound
        case .corrupt, .damagedInTransit: .dataLoss
        case .insufficientSpace: .resourceExhausted
        case .storageFailure: .internalError
        case .unreachable, .shuttingDown, .noSource: .unavailable
        case .unauthenticated: .unauthenticated
        case .incompatible, .wrongCluster: .failedPrecondition
        case .invalid: .invalidArgument
        }
    }

    private var detail: Detail {
        var message = Detail()
        switch self {
        case .notFound(let id): (message.kind, message.fragment) = (.notFound, Wire.name(id))
        case .corrupt(let id, let detail): (message.kind, message.fragment, message.detail) = (.corrupt, Wire.name(id), detail)
        case .insufficientSpace(let detail): (message.kind, message.detail) = (.insufficientSpace, detail)
        case .storageFailure(let detail): (message.kind, message.detail) = (.storageFailure, detail)
        case .damagedInTransit(let id): (message.kind, message.fragment) = (.damagedInTransit, Wire.name(id))
        case .unreachable(let address, let detail): (message.kind, message.address, message.detail) = (.unreachable, address, detail)
        case .unauthenticated(let address): (message.kind, message.address) = (.unauthenticated, address)
        case .incompatible: break
        case .wrongCluster(let node, let cluster):
            (message.kind, message.node, message.cluster) = (.wrongCluster, Data(node.bytes), Data(cluster.bytes))
        case .noSource(let id, let detail): (message.kind, message.fragment, message.detail) = (.noSource, Wire.name(id), detail)
        case .shuttingDown: message.kind = .shuttingDown
        case .invalid(let detail): (message.kind, message.detail) = (.invalid, detail)
        }
        return message
    }

    private init?(_ message: Detail) {
        let fragment = try? Wire.fragmentID(message.fragment)
        switch (message.kind, fragment) {
        case (.notFound, let id?): self = .notFound(id)
        case (.corrupt, let id?): self = .corrupt(id, detail: message.detail)
        case (.insufficientSpace, _): self = .insufficientSpace(detail: message.detail)
        case (.storageFailure, _): self = .storageFailure(detail: message.detail)
        case (.damagedInTransit, let id?): self = .damagedInTransit(id)
        case (.unreachable, _): self = .unreachable(address: message.address, detail: message.detail)
        case (.unauthenticated, _): self = .unauthenticated(address: message.address)
        case (.wrongCluster, _):
            guard let node = NodeID(bytes: message.node), let cluster = ClusterID(bytes: message.cluster) else { return nil }
            self = .wrongCluster(node: node, belongsTo: cluster)
        case (.noSource, let id?): self = .noSource(id, detail: message.detail)
        case (.shuttingDown, _): self = .shuttingDown
        case (.invalid, _): self = .invalid(detail: message.detail)
        default: return nil
        }
    }
}

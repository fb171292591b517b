internal import ChunkTransport
internal import ClusterProtocol
internal import Core
internal import Foundation
internal import GRPCCore
internal import SwiftProtobuf

/// The calls with short messages, as methods of a node.
struct NodeService: Chunkflow_Storage_V1_StorageNode.SimpleServiceProtocol {
    let node: any ChunkTransport

    func getDescriptor(
        request: Chunkflow_Storage_V1_GetDescriptorRequest, context: ServerContext
    ) async throws -> Chunkflow_Storage_V1_GetDescriptorResponse {
        try await answering {
            let descriptor = try await node.descriptor(of: try Wire.fragmentID(request.name))
            return .with { $0.descriptor = Data(descriptor) }
        }
    }

    func delete(
        request: Chunkflow_Storage_V1_DeleteRequest, context: ServerContext
    ) async throws -> Chunkflow_Storage_V1_DeleteResponse {
        try await answering {
            guard request.names.count <= TransportLimits.maximumBatch else {
                throw NodeError.invalid(detail: "\(request.names.count) fragments in one call, at most \(TransportLimits.maximumBatch)")
            }
            try await node.delete(try request.names.map(Wire.fragmentID))
            return .init()
        }
    }

    func stat(request: Chunkflow_Storage_V1_StatRequest, context: ServerContext) async throws -> Chunkflow_Storage_V1_StatResponse {
        try await answering {
            let info = try await node.stat(try Wire.fragmentID(request.name))
            return .with { if let info { $0.fragment = Wire.fragment(info) } }
        }
    }

    func list(request: Chunkflow_Storage_V1_ListRequest, context: ServerContext) async throws -> Chunkflow_Storage_V1_ListResponse {
        try await answering {
            let limit = min(max(1, Int(request.limit)), TransportLimits.maximumBatch)
            if request.quarantined {
                let ids = try await node.quarantined(limit: limit)
                return .with { $0.fragments = ids.map { Wire.fragment(FragmentInfo(id: $0, byteCount: 0)) } }
            }
            let page = try await node.list(after: request.hasCursor ? ListCursor(value: request.cursor) : nil, limit: limit)
            return .with {
                $0.fragments = page.fragments.map(Wire.fragment)
                if let next = page.next { $0.next = next.value }
            }
        }
    }

    func getInformation(
        request: Chunkflow_Storage_V1_GetInformationRequest, context: ServerContext
    ) async throws -> Chunkflow_Storage_V1_NodeInformation {
        try await answering { Wire.information(try await node.information()) }
    }

    func claim(request: Chunkflow_Storage_V1_ClaimRequest, context: ServerContext) async throws -> Chunkflow_Storage_V1_NodeInformation {
        try await answering { Wire.information(try await node.claim(for: try Wire.cluster(request.cluster))) }
    }

    func pull(request: Chunkflow_Storage_V1_PullRequest, context: ServerContext) async throws -> Chunkflow_Storage_V1_PullResponse {
        try await answering {
            let info = try await whileWanted {
                try await node.pull(try Wire.fragmentID(request.name), from: try request.sources.map(Wire.peer))
            }
            return .with { $0.fragment = Wire.fragment(info) }
        }
    }

    func reconstruct(
        request: Chunkflow_Storage_V1_ReconstructRequest, context: ServerContext
    ) async throws -> Chunkflow_Storage_V1_PullResponse {
        try await answering {
            let info = try await whileWanted {
                try await node.reconstruct(
                    try Wire.fragmentID(request.name), code: try Wire.code(request), from: try request.sources.map(Wire.source))
            }
            return .with { $0.fragment = Wire.fragment(info) }
        }
    }
}

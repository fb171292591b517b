package import ClusterProtocol
package import Core
package import ErasureCoding
package import Foundation
internal import SwiftProtobuf

/// The domain's values as protobuf messages, and back. Reading a message of the wrong form throws ``NodeError/invalid(detail:)``.
package enum Wire {
    package typealias Name = Chunkflow_Storage_V1_FragmentName
    package typealias Fragment = Chunkflow_Storage_V1_Fragment

    package static func name(_ id: FragmentID) -> Name {
        .with {
            $0.blob = Data(id.chunk.blob.bytes)
            $0.chunk = id.chunk.index
            $0.number = UInt32(id.number)
        }
    }

    package static func fragmentID(_ name: Name) throws -> FragmentID {
        guard let blob = BlobID(bytes: name.blob), let number = UInt8(exactly: name.number) else {
            throw NodeError.invalid(detail: "a fragment name of the wrong form")
        }
        return FragmentID(chunk: ChunkID(blob: blob, index: name.chunk), number: number)
    }

    package static func fragment(_ info: FragmentInfo) -> Fragment {
        .with {
            $0.name = name(info.id)
            $0.byteCount = UInt64(info.byteCount)
        }
    }

    package static func info(_ fragment: Fragment) throws -> FragmentInfo {
        FragmentInfo(id: try fragmentID(fragment.name), byteCount: try count(fragment.byteCount))
    }

    package static func range(_ range: Range<Int>) -> Chunkflow_Storage_V1_ByteRange {
        .with {
            $0.offset = UInt64(range.lowerBound)
            $0.length = UInt64(range.count)
        }
    }

    package static func range(_ range: Chunkflow_Storage_V1_ByteRange) throws -> Range<Int> {
        let offset = try count(range.offset)
        let (end, overflow) = offset.addingReportingOverflow(try count(range.length))
        guard !overflow else { throw NodeError.invalid(detail: "a range of the wrong form") }
        return offset..<end
    }

    private static func count(_ value: UInt64) throws -> Int {
        guard let count = Int(exactly: value) else { throw NodeError.invalid(detail: "a size beyond 63 bits") }
        return count
    }

    package static func information(_ information: NodeInformation) -> Chunkflow_Storage_V1_NodeInformation {
        .with {
            $0.node = Data(information.id.bytes)
            if let cluster = information.cluster { $0.cluster = Data(cluster.bytes) }
            $0.zone = information.zone
            $0.version = information.version
            $0.capacityBytes = information.capacityBytes
            $0.availableBytes = information.availableBytes
            $0.usedBytes = information.usedBytes
            $0.liveBytes = information.liveBytes
            $0.fragmentCount = information.fragmentCount
            $0.quarantinedCount = information.quarantinedCount
            $0.instance = information.instance
            $0.disks = information.disks.map(disk)
        }
    }

    package static func information(_ message: Chunkflow_Storage_V1_NodeInformation) throws -> NodeInformation {
        NodeInformation(
            id: try node(message.node), cluster: message.hasCluster ? try cluster(message.cluster) : nil, zone: message.zone,
            version: message.version, capacityBytes: message.capacityBytes, availableBytes: message.availableBytes,
            usedBytes: message.usedBytes, liveBytes: message.liveBytes, fragmentCount: message.fragmentCount,
            quarantinedCount: message.quarantinedCount, instance: message.instance, disks: message.disks.map(disk))
    }

    private static func disk(_ disk: DiskHealth) -> Chunkflow_Storage_V1_DiskHealth {
        .with {
            $0.path = disk.path
            $0.capacityBytes = disk.capacityBytes
            $0.availableBytes = disk.availableBytes
            $0.readErrors = disk.readErrors
            $0.writeErrors = disk.writeErrors
            $0.state = disk.state == .failing ? .failing : .healthy
        }
    }

    /// A state that this version does not know is none to act on.
    private static func disk(_ message: Chunkflow_Storage_V1_DiskHealth) -> DiskHealth {
        DiskHealth(
            path: message.path, capacityBytes: message.capacityBytes, availableBytes: message.availableBytes,
            readErrors: message.readErrors, writeErrors: message.writeErrors, state: message.state == .failing ? .failing : .healthy)
    }

    package static func cluster(_ bytes: Data) throws -> ClusterID {
        guard let cluster = ClusterID(bytes: bytes) else { throw NodeError.invalid(detail: "a cluster id of the wrong form") }
        return cluster
    }

    package static func peer(_ peer: Peer) -> Chunkflow_Storage_V1_Peer {
        .with {
            $0.node = Data(peer.id.bytes)
            $0.address = peer.address
        }
    }

    package static func peer(_ message: Chunkflow_Storage_V1_Peer) throws -> Peer {
        Peer(id: try node(message.node), address: message.address)
    }

    package static func source(_ source: FragmentSource) -> Chunkflow_Storage_V1_FragmentSource {
        .with {
            $0.number = UInt32(source.number)
            $0.peers = source.peers.map(peer)
        }
    }

    package static func source(_ message: Chunkflow_Storage_V1_FragmentSource) throws -> FragmentSource {
        guard let number = UInt8(exactly: message.number) else { throw NodeError.invalid(detail: "a fragment number beyond 255") }
        return FragmentSource(number: number, peers: try message.peers.map(peer))
    }

    package static func code(_ request: Chunkflow_Storage_V1_ReconstructRequest) throws -> ErasureCode {
        guard let data = Int(exactly: request.dataCount), let parity = Int(exactly: request.parityCount),
            let code = ErasureCode(dataCount: data, parityCount: parity)
        else { throw NodeError.invalid(detail: "an erasure code of \(request.dataCount) and \(request.parityCount) fragments") }
        return code
    }

    package static func node(_ bytes: Data) throws -> NodeID {
        guard let node = NodeID(bytes: bytes) else { throw NodeError.invalid(detail: "a node id of the wrong form") }
        return node
    }
}

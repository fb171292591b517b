/// What every 128-bit name in chunkFlow shares: a text form, a 16-byte form and an order.
public protocol Identifier128: Hashable, Sendable, Comparable, CustomStringConvertible {
    var uuid: UUIDv7 { get }
    init(uuid: UUIDv7)
}

extension Identifier128 {
    public init(time: Timestamp, random: some RandomSource) { self.init(uuid: UUIDv7(time: time, random: random)) }

    /// - Returns: nil for anything but the text that ``description`` writes.
    public init?(_ text: String) {
        guard let uuid = UUIDv7(text) else { return nil }
        self.init(uuid: uuid)
    }

    public init?(bytes: some Collection<UInt8>) {
        guard let uuid = UUIDv7(bytes: bytes) else { return nil }
        self.init(uuid: uuid)
    }

    public var bytes: [UInt8] { uuid.bytes }
    public var description: String { uuid.description }
    public static func < (left: Self, right: Self) -> Bool { left.uuid < right.uuid }
}

/// The bytes of one upload, or of one part of a multipart upload.
public struct BlobID: Identifier128 {
    public let uuid: UUIDv7
    public init(uuid: UUIDv7) { self.uuid = uuid }
}

/// A file made by `POST /upload`: its key in the bucket of uploaded files.
public struct FileID: Identifier128 {
    public let uuid: UUIDv7
    public init(uuid: UUIDv7) { self.uuid = uuid }
}

/// A storage node, for its whole life, wherever it listens: it is written into the node's data directory.
public struct NodeID: Identifier128 {
    public let uuid: UUIDv7
    public init(uuid: UUIDv7) { self.uuid = uuid }
}

/// A cluster: a node belongs to the first one that claims it, and refuses every other.
public struct ClusterID: Identifier128 {
    public let uuid: UUIDv7
    public init(uuid: UUIDv7) { self.uuid = uuid }
}

/// A piece of a blob of fixed size (the last may be shorter), counted from 0.
public struct ChunkID: Hashable, Sendable, Comparable, CustomStringConvertible {
    public let blob: BlobID
    public let index: UInt32

    public init(blob: BlobID, index: UInt32) {
        self.blob = blob
        self.index = index
    }

    public var description: String { "\(blob)/\(index)" }
    public static func < (left: ChunkID, right: ChunkID) -> Bool {
        (left.blob.uuid, left.index) < (right.blob.uuid, right.index)
    }
}

/// What one node stores of a chunk: a whole replica (`number` 0) or the erasure-coded piece with that number.
public struct FragmentID: Hashable, Sendable, Comparable, CustomStringConvertible {
    public let chunk: ChunkID
    public let number: UInt8

    public init(chunk: ChunkID, number: UInt8 = 0) {
        self.chunk = chunk
        self.number = number
    }

    public var description: String { "\(chunk).\(number)" }
    public static func < (left: FragmentID, right: FragmentID) -> Bool {
        (left.chunk, left.number) < (right.chunk, right.number)
    }
}

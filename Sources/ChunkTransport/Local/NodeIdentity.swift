public import Core
internal import Foundation
import Synchronization

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// Who a node is, for its whole life.
public struct NodeIdentity: Hashable, Sendable {
    public let node: NodeID
    /// nil until a cluster has claimed the node.
    public let cluster: ClusterID?

    public init(node: NodeID, cluster: ClusterID?) {
        self.node = node
        self.cluster = cluster
    }
}

/// Where a node keeps its identity. Safe to call from any thread; calls wait for the disk.
public protocol NodeIdentityStore: Sendable {
    /// - Returns: nil when none was saved yet.
    func load() throws -> NodeIdentity?
    /// Durable when it returns; a crash leaves the old identity or the new one.
    func save(_ identity: NodeIdentity) throws
}

/// Keeps the identity in memory: for tests and simulations.
public final class InMemoryNodeIdentityStore: NodeIdentityStore {
    private let identity: Mutex<NodeIdentity?>

    public init(_ identity: NodeIdentity? = nil) { self.identity = Mutex(identity) }
    public func load() -> NodeIdentity? { identity.withLock { $0 } }
    public func save(_ identity: NodeIdentity) { self.identity.withLock { $0 = identity } }
}

/// Keeps the identity in the file `node.json` of the data directory.
public struct FileNodeIdentityStore: NodeIdentityStore {
    public static let fileName = "node.json"

    /// Why an identity cannot be read.
    public struct Unreadable: Error, Hashable, Sendable, CustomStringConvertible {
        public let path: String
        public let detail: String
        public var description: String { "the node's identity in \(path) cannot be read: \(detail)" }
    }

    private struct Content: Codable {
        /// Of this file and of the directory around it.
        var formatVersion: Int
        var node: String
        var cluster: String?
    }

    private static let formatVersion = 1
    private let directory: String

    public init(directory: String) { self.directory = directory }

    private var path: String { "\(directory)/\(Self.fileName)" }

    public func load() throws -> NodeIdentity? {
        // A file that is there and cannot be read must not be replaced by a new identity: the fragments would be orphaned.
        if access(path, F_OK) != 0, errno == ENOENT { return nil }
        do {
            let content = try JSONDecoder().decode(Content.self, from: Data(contentsOf: URL(fileURLWithPath: path)))
            guard content.formatVersion == Self.formatVersion else {
                throw Unreadable(path: path, detail: "format \(content.formatVersion), this version reads \(Self.formatVersion)")
            }
            guard let node = NodeID(content.node) else { throw Unreadable(path: path, detail: "no node id") }
            let cluster = try content.cluster.map { text in
                guard let cluster = ClusterID(text) else { throw Unreadable(path: path, detail: "no cluster id") }
                return cluster
            }
            return NodeIdentity(node: node, cluster: cluster)
        } catch let error as Unreadable {
            throw error
        } catch {
            throw Unreadable(path: path, detail: "\(error)")
        }
    }

    public func save(_ identity: NodeIdentity) throws {
        let content = Content(
            formatVersion: Self.formatVersion, node: identity.node.description, cluster: identity.cluster?.description)
        let temporary = path + ".tmp"
        try JSONEncoder().encode(content).write(to: URL(fileURLWithPath: temporary))
        try synchronize(temporary, flags: O_RDONLY)
        try check(rename(temporary, path), "rename")
        try synchronize(directory, flags: O_RDONLY | O_DIRECTORY)
    }

    private func synchronize(_ path: String, flags: Int32) throws {
        let descriptor = open(path, flags | O_CLOEXEC)
        try check(descriptor, "open")
        defer { close(descriptor) }
        try check(fsync(descriptor), "fsync")
    }

    private func check(_ result: Int32, _ operation: String) throws {
        guard result < 0 else { return }
        throw Unreadable(path: path, detail: "\(operation): \(String(cString: strerror(errno)))")
    }
}

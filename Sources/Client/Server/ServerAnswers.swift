internal import Foundation

/// A file as the server describes it.
package struct FileDescription: Codable, Hashable, Sendable {
    package let fileID: String
    package let name: String?
    /// Bytes.
    package let size: Int64
    package let contentType: String?
    package let etag: String?
    /// `crc32c:` and eight hexadecimal digits.
    package let checksum: String?
    package let createdAt: String?

    package init(
        fileID: String, name: String?, size: Int64, contentType: String?, etag: String?, checksum: String?, createdAt: String?
    ) {
        self.fileID = fileID
        self.name = name
        self.size = size
        self.contentType = contentType
        self.etag = etag
        self.checksum = checksum
        self.createdAt = createdAt
    }

    /// The CRC-32C of the content; nil when the server does not say it.
    package var crc32c: UInt32? {
        guard let checksum, checksum.hasPrefix("crc32c:") else { return nil }
        return UInt32(checksum.dropFirst("crc32c:".count), radix: 16)
    }

    /// The MD5 of the content in lower-case hexadecimal; nil when the ETag is something else.
    package var md5: String? {
        guard let etag = etag?.trimmingCharacters(in: CharacterSet(charactersIn: "\"")), etag.utf8.count == 32,
            etag.allSatisfy(\.isHexDigit)
        else { return nil }
        return etag.lowercased()
    }

    /// The keys that scripts see.
    var json: [(key: String, value: JSONValue)] {
        [
            ("fileID", .string(fileID)), ("name", JSONValue(name)), ("size", .integer(size)), ("contentType", JSONValue(contentType)),
            ("etag", JSONValue(etag)), ("checksum", JSONValue(checksum)), ("createdAt", JSONValue(createdAt)),
        ]
    }
}

/// One page of the list of files.
struct FilePage: Codable {
    let files: [FileDescription]
    /// nil on the last page.
    let nextCursor: String?
}

/// What the server says of the cluster.
package struct ClusterDescription: Codable, Sendable {
    package struct Node: Codable, Sendable {
        package let id: String
        package let address: String
        package let zone: String?
        package let weight: Double?
        package let state: String
        package let capacityBytes: Int64
        package let availableBytes: Int64?
        package let usedBytes: Int64
        package let fragmentCount: Int64?
        package let quarantinedCount: Int64?
        /// nil from servers that do not say.
        package let disks: [Disk]?
    }

    package struct Disk: Codable, Sendable {
        package let path: String
        package let readErrors: Int64
        package let writeErrors: Int64
        package let state: String

        static let failing = "failing"
    }

    package struct Layout: Codable, Sendable {
        package let version: Int
        package let partitionCount: Int?
        package let replicas: Int?
        package let writeQuorum: Int?
    }

    package struct Objects: Codable, Sendable {
        package let count: Int64
        package let bytes: Int64
    }

    /// How far data have come to where the current layout wants them.
    package struct Rebalance: Codable, Sendable {
        package let toVersion: Int
        package let bytesLeft: Int64
        package let bytesPerSecond: Int64
        /// nil while nothing moves.
        package let secondsLeft: Int64?
    }

    package let clusterID: String?
    package let nodes: [Node]
    package let layout: Layout
    package let objects: Objects?
    package let repairQueueLength: Int?
    /// nil when everything is where it should be; servers before layouts could change do not say.
    package let rebalance: Rebalance?
    /// nil from servers that cannot store objects anew.
    package let reencodings: [ReencodingDescription]?
    package let backgroundPaused: Bool?
}

/// An error as servers say it (RFC 9457).
struct Problem: Codable {
    /// The server works; a storage node that it was told of does not answer.
    static let nodeUnreachable = "urn:chunkflow:problem:node-unreachable"

    let type: String?
    let title: String?
    let detail: String?
    let requestID: String?

    var text: String? {
        let parts = [title, detail].compactMap { $0 }
        guard !parts.isEmpty else { return nil }
        let message = parts.joined(separator: ": ")
        return (requestID.map { "\(message) (request \($0))" } ?? message).printable
    }
}

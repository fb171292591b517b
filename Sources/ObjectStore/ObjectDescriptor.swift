internal import Core
internal import Foundation
internal import Metadata

/// Which object a blob belongs to.
struct ObjectName: Sendable {
    let bucket: BucketRecord
    let key: String
    let version: VersionID
}

/// What chunk 0 of a blob carries beside its payload: enough to tell, from the nodes alone, whose bytes these are.
struct ObjectDescriptor: Codable, Equatable {
    let bucket: String
    let key: String
    let version: String
    let fileName: String?
    let contentType: String
    /// Milliseconds since 1970.
    let createdAt: Int64

    init(name: ObjectName, description: UploadDescription, createdAt: Timestamp) {
        bucket = name.bucket.name
        key = name.key
        version = name.version.description
        fileName = description.fileName
        contentType = description.contentType
        self.createdAt = createdAt.millisecondsSince1970
    }

    /// JSON: read once in a disaster, so legible matters more than small.
    func encoded() throws -> [UInt8] { Array(try JSONEncoder().encode(self)) }
}

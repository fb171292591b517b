internal import Core
internal import FoundationEssentials
internal import HTTPEdge
internal import Metadata
internal import NIOCore
internal import NIOHTTP1

/// A file as the API's JSON shows it.
struct FileDocument: Encodable {
    let fileID: String
    let name: String?
    let size: Int64
    let contentType: String
    let etag: String
    let checksum: String?
    let createdAt: String
    let storageClass: String?

    init(_ object: ObjectRecord) {
        fileID = object.key
        name = object.fileName
        size = object.byteCount
        contentType = object.contentType
        etag = object.etag
        checksum = object.checksumText
        createdAt = CalendarDate(object.createdAt).internetText
        storageClass = object.blobs.first?.storageClass
    }

    private enum CodingKeys: CodingKey {
        case fileID, name, size, contentType, etag, checksum, createdAt, storageClass
    }

    /// Every member is always there, null where nothing is known.
    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(fileID, forKey: .fileID)
        try container.encode(name, forKey: .name)
        try container.encode(size, forKey: .size)
        try container.encode(contentType, forKey: .contentType)
        try container.encode(etag, forKey: .etag)
        try container.encode(checksum, forKey: .checksum)
        try container.encode(createdAt, forKey: .createdAt)
        try container.encode(storageClass, forKey: .storageClass)
    }
}

/// The answer to an upload of several files.
struct FileListDocument: Encodable {
    let files: [FileDocument]
}

/// A page of files.
struct FilePageDocument: Encodable {
    let files: [FileDocument]
    let nextCursor: String?

    private enum CodingKeys: CodingKey {
        case files, nextCursor
    }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(files, forKey: .files)
        try container.encode(nextCursor, forKey: .nextCursor)
    }
}

extension ObjectRecord {
    /// `crc32c:` and eight hexadecimal digits; nil where the checksum is not known.
    var checksumText: String? {
        crc32c.map { value in
            let digits = String(value, radix: 16)
            return "crc32c:" + String(repeating: "0", count: 8 - digits.count) + digits
        }
    }
}

internal import Foundation

/// What the first 100 bytes of a file say (https://www.sqlite.org/fileformat.html, 1.3): enough to refuse most of what is no
/// backup before anything is copied.
enum DatabaseFileHeader {
    private static let magic = Data("SQLite format 3\0".utf8)
    private static let byteCount = 100

    /// - Throws: ``MetadataError/unknownSchema(path:detail:)`` for what is no database of this program,
    ///   ``MetadataError/damaged(detail:)`` for one that is not all there, ``MetadataError/failure(detail:)``.
    static func check(_ path: String) throws {
        let (header, size) = try read(path)
        guard header.count == byteCount, header.prefix(magic.count) == magic else {
            throw MetadataError.unknownSchema(path: path, detail: "it is not a database")
        }
        guard number(header, at: 68, width: 4) == Schema.applicationID else {
            throw MetadataError.unknownSchema(path: path, detail: "it is not a database of this program")
        }
        let pageSize = number(header, at: 16, width: 2)
        let expected = number(header, at: 28, width: 4) * (pageSize == 1 ? 65_536 : pageSize)
        guard size == expected else { throw MetadataError.damaged(detail: "\(path) has \(size) bytes instead of \(expected)") }
        for companion in Snapshot.companions where DurableFiles.exists(path + companion) {
            throw MetadataError.unknownSchema(path: path, detail: "\(path + companion) lies beside it: it is in use, or no backup")
        }
    }

    private static func read(_ path: String) throws -> (header: Data, size: Int) {
        do {
            let file = try FileHandle(forReadingFrom: URL(fileURLWithPath: path))
            defer { try? file.close() }
            let header = try file.read(upToCount: byteCount) ?? Data()
            return (header, Int(try file.seekToEnd()))
        } catch {
            throw MetadataError.failure(detail: "\(path) cannot be read: \(error.localizedDescription)")
        }
    }

    /// Big-endian.
    private static func number(_ header: Data, at offset: Int, width: Int) -> Int {
        header.dropFirst(offset).prefix(width).reduce(0) { $0 << 8 | Int($1) }
    }
}

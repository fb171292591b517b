internal import Core
internal import Foundation
internal import GRDB

extension Identifier128 {
    /// The same as `bytes`, without going through an array: several of these go into every row.
    var data: Data { withUnsafeBytes(of: (uuid.high.bigEndian, uuid.low.bigEndian)) { Data($0) } }

    /// - Returns: nil unless there are exactly 16 bytes.
    init?(data: Data) {
        guard data.count == UUIDv7.byteCount else { return nil }
        let (high, low) = data.withUnsafeBytes {
            (
                UInt64(bigEndian: $0.loadUnaligned(fromByteOffset: 0, as: UInt64.self)),
                UInt64(bigEndian: $0.loadUnaligned(fromByteOffset: 8, as: UInt64.self))
            )
        }
        self.init(uuid: UUIDv7(high: high, low: low))
    }
}

extension Row {
    func identifier<ID: Identifier128>(_ column: Int, as _: ID.Type = ID.self) throws -> ID {
        guard let id = ID(data: try bytes(column)) else {
            throw MetadataError.damaged(detail: "column \(column) is no identifier")
        }
        return id
    }

    /// Text that is kept as bytes.
    func name(_ column: Int) throws -> String {
        guard let text = String(validating: try bytes(column), as: UTF8.self) else {
            throw MetadataError.damaged(detail: "column \(column) is not UTF-8")
        }
        return text
    }

    /// - Throws: where the subscript would end the process: the row has something else, which only damage explains.
    func integer<Value: FixedWidthInteger>(_ column: Int, as _: Value.Type = Value.self) throws -> Value {
        guard case .int64(let value) = (self[column] as DatabaseValue).storage, let integer = Value(exactly: value) else {
            throw MetadataError.damaged(detail: "column \(column) is no integer, or too great a one")
        }
        return integer
    }

    func text(_ column: Int) throws -> String {
        guard case .string(let text) = (self[column] as DatabaseValue).storage else {
            throw MetadataError.damaged(detail: "column \(column) is no text")
        }
        return text
    }

    func real(_ column: Int) throws -> Double {
        switch (self[column] as DatabaseValue).storage {
        case .double(let value): value
        case .int64(let value): Double(value)
        default: throw MetadataError.damaged(detail: "column \(column) is no number")
        }
    }

    func bytes(_ column: Int) throws -> Data {
        guard case .blob(let data) = (self[column] as DatabaseValue).storage else {
            throw MetadataError.damaged(detail: "column \(column) is no bytes")
        }
        return data
    }

    func optionalText(_ column: Int) throws -> String? { isNull(column) ? nil : try text(column) }

    /// Text that is kept as bytes.
    func optionalName(_ column: Int) throws -> String? { isNull(column) ? nil : try name(column) }

    func flag(_ column: Int) throws -> Bool { try integer(column, as: Int64.self) != 0 }

    func isNull(_ column: Int) -> Bool { (self[column] as DatabaseValue).isNull }

    func timestamp(_ column: Int) throws -> Timestamp { Timestamp(millisecondsSince1970: try integer(column)) }

    /// Five columns, beginning at `column`.
    func blob(_ column: Int) throws -> BlobRecord {
        let chunkSize = try integer(column + 2, as: Int.self)
        guard chunkSize > 0 else { throw MetadataError.damaged(detail: "a blob has chunks of no size") }
        return BlobRecord(
            id: try identifier(column), byteCount: try integer(column + 1), chunkSize: chunkSize, layoutVersion: try integer(column + 3),
            storageClass: try text(column + 4))
    }
}

/// The column `user_metadata`: nil for none, else a JSON object with sorted names.
enum UserMetadataColumn {
    static func encode(_ pairs: [String: String]) throws -> String? {
        if pairs.isEmpty { return nil }
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return String(decoding: try encoder.encode(pairs), as: UTF8.self)
    }

    static func decode(_ text: String?) throws -> [String: String] {
        guard let text else { return [:] }
        do {
            return try JSONDecoder().decode([String: String].self, from: Data(text.utf8))
        } catch {
            throw MetadataError.damaged(detail: "user metadata: \(error)")
        }
    }
}

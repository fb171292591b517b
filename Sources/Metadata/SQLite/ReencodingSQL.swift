/// The statements for storage classes of buckets and for what is stored anew.
enum ReencodingSQL {
    /// Of internal ones, what their names begin with is the second parameter.
    static let buckets = "SELECT \(SQL.bucketColumns) FROM buckets WHERE name > ? AND substr(name, 1, 1) <> ? ORDER BY name LIMIT ?"
    static let setStorageClass = "UPDATE buckets SET storage_class = ? WHERE name = ?"

    static let objectCount = "SELECT COUNT(*) FROM objects WHERE bucket = ?"
    static let insertOrder = "INSERT INTO reencodings (bucket, id, object_count) VALUES (?, ?, ?)"
    static let orders = """
        SELECT \(SQL.bucketColumns), reencodings.id, object_count, is_older, position, position_version, examined, failed, reencoded,
            reencoded_bytes
        FROM reencodings JOIN buckets ON buckets.id = reencodings.bucket ORDER BY reencodings.bucket
        """
    static let orderOfBucket = "SELECT id FROM reencodings WHERE bucket = ?"
    static let saveOrder = """
        UPDATE reencodings SET is_older = ?, position = ?, position_version = ?, examined = ?, failed = ?, reencoded = ?,
            reencoded_bytes = ?
        WHERE id = ?
        """
    static let deleteOrder = "DELETE FROM reencodings WHERE id = ?"

    static let insertReplacement = """
        INSERT INTO reencoded_blobs (reencoding, blob, replacement) VALUES (?, ?, ?)
        ON CONFLICT (reencoding, blob) DO UPDATE SET replacement = excluded.replacement
        """
    static let replacement = """
        SELECT blobs.id, blobs.byte_count, blobs.chunk_size, blobs.layout_version, blobs.storage_class
        FROM reencoded_blobs JOIN blobs ON blobs.id = reencoded_blobs.replacement
        WHERE reencoded_blobs.reencoding = ? AND reencoded_blobs.blob = ?
        """
    static let deleteReplacements = "DELETE FROM reencoded_blobs WHERE reencoding = ?"

    static let olderVersions = """
        \(SQL.older) WHERE object_versions.bucket = ? AND object_versions.is_delete_marker = 0
            AND (object_versions.name, object_versions.version) > (?, ?)
        ORDER BY object_versions.name, object_versions.version LIMIT ?
        """
    static let contentOfLatest = "SELECT blob, blob_count FROM objects WHERE bucket = ? AND name = ? AND version = ?"
    static let contentOfOlder = "SELECT blob, blob_count FROM object_versions WHERE bucket = ? AND name = ? AND version = ?"
    static let setBlobOfLatest = "UPDATE objects SET blob = ? WHERE bucket = ? AND name = ? AND version = ?"
    static let setBlobOfOlder = "UPDATE object_versions SET blob = ? WHERE bucket = ? AND name = ? AND version = ?"
    static let listedPositions = "SELECT position FROM object_blobs WHERE version = ? ORDER BY position"
    static let setListedBlob = "UPDATE object_blobs SET blob = ? WHERE version = ? AND position = ?"
}

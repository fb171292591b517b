/// Multipart uploads, and what is left of them.
extension SQL {
    private static let uploadColumns = "name, id, bucket, content_type, user_metadata, attributes, created_at"
    static let upload = "SELECT \(uploadColumns) FROM multipart_uploads WHERE id = ?"
    /// Without a limit: who reads them stops.
    static let listedUploads = "SELECT \(uploadColumns) FROM multipart_uploads WHERE bucket = ? AND name >= ? ORDER BY name, id"
    static let listedUploadsOfKey = """
        SELECT \(uploadColumns) FROM multipart_uploads WHERE bucket = ? AND name = ? AND id > ? ORDER BY id
        """
    static let insertUpload = """
        INSERT INTO multipart_uploads (bucket, name, id, content_type, user_metadata, attributes, created_at) VALUES (?, ?, ?, ?, ?, ?, ?)
        """
    static let deleteUpload = "DELETE FROM multipart_uploads WHERE bucket = ? AND name = ? AND id = ?"
    static let uploadsOfBucket = "SELECT name, id FROM multipart_uploads WHERE bucket = ?"
    static let keyOfUpload = "SELECT bucket, name FROM multipart_uploads WHERE id = ?"

    static let parts = """
        SELECT number, multipart_parts.byte_count, etag, crc32c, checksum, created_at,
            blobs.id, blobs.byte_count, blobs.chunk_size, blobs.layout_version, blobs.storage_class
        FROM multipart_parts LEFT JOIN blobs ON blobs.id = multipart_parts.blob
        WHERE upload = ? AND number > ? ORDER BY number LIMIT ?
        """
    static let storedParts = "SELECT number, blob, byte_count, etag FROM multipart_parts WHERE upload = ? ORDER BY number"
    static let blobOfPart = "SELECT blob FROM multipart_parts WHERE upload = ? AND number = ?"
    static let savePart = """
        INSERT INTO multipart_parts (upload, number, blob, byte_count, etag, crc32c, checksum, created_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
        ON CONFLICT (upload, number) DO UPDATE SET blob = excluded.blob, byte_count = excluded.byte_count, etag = excluded.etag,
            crc32c = excluded.crc32c, checksum = excluded.checksum, created_at = excluded.created_at
        """
    static let deleteParts = "DELETE FROM multipart_parts WHERE upload = ?"

    static let insertVersionPart = """
        INSERT INTO version_parts (version, number, byte_count, etag, crc32c, checksum, created_at) VALUES (?, ?, ?, ?, ?, ?, ?)
        """
    static let versionParts = """
        SELECT number, byte_count, etag, crc32c, checksum, created_at FROM version_parts
        WHERE version = ? AND number > ? ORDER BY number LIMIT ?
        """
    static let deleteVersionParts = "DELETE FROM version_parts WHERE version = ?"

    static let insertCompletedUpload = """
        INSERT INTO completed_uploads (id, bucket, name, parts_digest, etag, version, is_null_version, versioning, completed_at)
        VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
        """
    static let completedUpload = """
        SELECT bucket, name, parts_digest, etag, version, is_null_version, versioning FROM completed_uploads WHERE id = ?
        """
    static let forgetCompletedUploads = "DELETE FROM completed_uploads WHERE completed_at < ?"
}

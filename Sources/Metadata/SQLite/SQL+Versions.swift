/// Objects and their versions: `objects` has the latest of every key that is not deleted, `object_versions` the rest.
extension SQL {
    /// Of a row that is read: see `VersionColumn`.
    private static func columns(_ table: String, isDeleteMarker: String) -> String {
        """
        \(table).name, \(table).version, \(table).byte_count, \(table).file_name, \(table).content_type, \(table).etag, \(table).crc32c,
        \(table).created_at, \(table).user_metadata, \(table).blob_count, \(table).is_null_version, \(table).attributes, \(isDeleteMarker)
        """
    }
    private static let latestColumns = columns("objects", isDeleteMarker: "0")
    private static let olderColumns = columns("object_versions", isDeleteMarker: "object_versions.is_delete_marker")
    private static let joinedBlobColumns = "blobs.id, blobs.byte_count, blobs.chunk_size, blobs.layout_version, blobs.storage_class"
    private static let latest = "SELECT \(latestColumns), \(joinedBlobColumns) FROM objects LEFT JOIN blobs ON blobs.id = objects.blob"
    /// What `Row.version(in:database:)` reads; behind it come conditions.
    static let older = """
        SELECT \(olderColumns), \(joinedBlobColumns) FROM object_versions LEFT JOIN blobs ON blobs.id = object_versions.blob
        """

    static let object = "\(latest) WHERE objects.bucket = ? AND objects.name = ?"
    static let objects = "\(latest) WHERE objects.bucket = ? AND objects.name > ? ORDER BY objects.name LIMIT ?"
    /// From the beginning: an empty key is a key, and nothing is less than it.
    static let firstObjects = "\(latest) WHERE objects.bucket = ? ORDER BY objects.name LIMIT ?"
    /// The latest version, though it be a delete marker. Both parameters are used twice.
    static let latestVersion = """
        \(latest) WHERE objects.bucket = ?1 AND objects.name = ?2
        UNION ALL
        SELECT * FROM (
            \(older) WHERE object_versions.bucket = ?1 AND object_versions.name = ?2
                AND NOT EXISTS (SELECT 1 FROM objects WHERE objects.bucket = ?1 AND objects.name = ?2)
            ORDER BY object_versions.version DESC LIMIT 1
        ) AS marker
        """
    static let nullVersion = """
        \(latest) WHERE objects.bucket = ?1 AND objects.name = ?2 AND objects.is_null_version = 1
        UNION ALL
        \(older) WHERE object_versions.bucket = ?1 AND object_versions.name = ?2 AND object_versions.is_null_version = 1
        """
    static let namedVersion = """
        \(latest) WHERE objects.bucket = ?1 AND objects.name = ?2 AND objects.version = ?3
        UNION ALL
        \(older) WHERE object_versions.bucket = ?1 AND object_versions.name = ?2 AND object_versions.version = ?3
        """
    static let blobsOfVersion = """
        SELECT \(joinedBlobColumns)
        FROM object_blobs JOIN blobs ON blobs.id = object_blobs.blob WHERE object_blobs.version = ? ORDER BY object_blobs.position
        """

    // MARK: Listings. Without a limit: who reads them stops.

    static let listedObjects = "SELECT \(latestColumns) FROM objects WHERE bucket = ? AND name >= ? ORDER BY name"
    static let listedKeysWithOlder = "SELECT name FROM object_versions WHERE bucket = ? AND name >= ? ORDER BY name"
    static let listedOlder = """
        SELECT \(olderColumns) FROM object_versions WHERE bucket = ? AND name = ? AND version < ? ORDER BY version DESC
        """

    // MARK: What a writer must know of a version: see `StoredVersion`

    private static let storedColumns = "version, is_null_version, byte_count, etag, created_at, attributes, blob, blob_count, part_count"
    static let storedObject = "SELECT \(storedColumns), 0 FROM objects WHERE bucket = ? AND name = ?"
    private static let storedOlder = "SELECT \(storedColumns), is_delete_marker FROM object_versions WHERE bucket = ? AND name = ?"
    static let storedNull = "\(storedOlder) AND is_null_version = 1"
    static let storedNamed = "\(storedOlder) AND version = ?"
    static let newestOlder = "\(storedOlder) ORDER BY version DESC LIMIT 1"

    static let insertObject = """
        INSERT INTO objects (version, is_null_version, byte_count, file_name, content_type, etag, crc32c, created_at, user_metadata,
            attributes, blob, blob_count, part_count, bucket, name)
        VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
        """
    static let updateObject = """
        UPDATE objects SET version = ?, is_null_version = ?, byte_count = ?, file_name = ?, content_type = ?, etag = ?, crc32c = ?,
            created_at = ?, user_metadata = ?, attributes = ?, blob = ?, blob_count = ?, part_count = ?
        WHERE bucket = ? AND name = ?
        """
    static let deleteObject = "DELETE FROM objects WHERE bucket = ? AND name = ?"
    static let insertDeleteMarker = """
        INSERT INTO object_versions (bucket, name, version, is_null_version, is_delete_marker, byte_count, content_type, etag, created_at,
            attributes, blob_count)
        VALUES (?, ?, ?, ?, 1, 0, ?, '', ?, ?, 0)
        """
    static let deleteVersion = "DELETE FROM object_versions WHERE bucket = ? AND name = ? AND version = ?"

    private static let movedColumns = """
        bucket, name, version, is_null_version, byte_count, file_name, content_type, etag, crc32c, created_at, user_metadata, attributes,
        blob, blob_count, part_count
        """
    static let copyToOlder = """
        INSERT INTO object_versions (\(movedColumns), is_delete_marker)
        SELECT \(movedColumns), 0 FROM objects WHERE bucket = ? AND name = ?
        """
    static let copyToLatest = """
        INSERT INTO objects (\(movedColumns)) SELECT \(movedColumns) FROM object_versions WHERE bucket = ? AND name = ? AND version = ?
        """
    static let setAttributesOfLatest = "UPDATE objects SET attributes = ? WHERE bucket = ? AND name = ? AND version = ?"
    static let setAttributesOfOlder = "UPDATE object_versions SET attributes = ? WHERE bucket = ? AND name = ? AND version = ?"

    static let insertVersionBlob = "INSERT INTO object_blobs (version, position, blob) VALUES (?, ?, ?)"
    static let versionBlobs = "SELECT blob FROM object_blobs WHERE version = ? ORDER BY position"
    static let deleteVersionBlobs = "DELETE FROM object_blobs WHERE version = ?"
}

internal import GRDB

/// The tables, as numbered migrations. One that has landed is never edited: a change is a new one at the end.
///
/// What people named (buckets, keys, files, content types) is kept as bytes of UTF-8: byte order is the order of listings,
/// and text with a NUL in it would be cut short on its way into the database. Identifiers are 16 bytes, big-endian, so new
/// rows come at the end. No SQL beyond what PostgreSQL has too, but for `WITHOUT ROWID` and the column types' names.
enum Schema {
    /// "cFMD": tells our databases from any other.
    static let applicationID = 0x6346_4D44

    static var migrator: DatabaseMigrator {
        var migrator = DatabaseMigrator()
        migrator.registerMigration("0001-initial") { try $0.execute(sql: initial) }
        migrator.registerMigration("0002-membership") { try $0.execute(sql: membership) }
        migrator.registerMigration("0003-repair-order") { try $0.execute(sql: repairOrder) }
        migrator.registerMigration("0004-leases") { try $0.execute(sql: leases) }
        migrator.registerMigration("0005-repair-margin") { try $0.execute(sql: repairMargin) }
        migrator.registerMigration("0006-versions") { try $0.execute(sql: versions) }
        migrator.registerMigration("0007-bucket-storage-class") { try $0.execute(sql: bucketStorageClass) }
        return migrator
    }

    /// Whether this program can use the database.
    /// - Returns: true when nothing has ever been in it.
    /// - Throws: ``MetadataError/unknownSchema(path:detail:)``
    @discardableResult
    static func check(_ database: Database, path: String, mayBeEmpty: Bool) throws -> Bool {
        let application = try Int.fetchOne(database, sql: "PRAGMA application_id") ?? 0
        let isEmpty = try application == 0 && Int.fetchOne(database, sql: "SELECT COUNT(*) FROM sqlite_master") == 0
        guard application == applicationID || (isEmpty && mayBeEmpty) else {
            throw MetadataError.unknownSchema(path: path, detail: "it is not a database of this program")
        }
        if try migrator.hasBeenSuperseded(database) {
            throw MetadataError.unknownSchema(path: path, detail: "it was written by a newer version of this program")
        }
        return isEmpty
    }

    /// What a node may be is told by `NodeRecord.Membership`.
    private static let membership = """
        ALTER TABLE nodes ADD COLUMN weight REAL NOT NULL DEFAULT 1;
        ALTER TABLE nodes ADD COLUMN membership TEXT NOT NULL DEFAULT 'member';
        """

    /// lacking: how many fragments of the chunk wait to be repaired. The more, the nearer it is to its end.
    private static let repairOrder = """
        ALTER TABLE repairs ADD COLUMN lacking INTEGER NOT NULL DEFAULT 1;
        UPDATE repairs SET lacking = (
            SELECT COUNT(*) FROM repairs AS others WHERE others.blob = repairs.blob AND others.chunk = repairs.chunk
        );
        DROP INDEX repairs_by_node;
        CREATE INDEX repairs_by_node ON repairs (node, lacking, due_at);
        """

    /// tolerance: fragments of the chunk that can be lost before it is; what was queued before counts as three copies, or ec-K-2.
    /// margin: how many of them are still to lose when those that wait for repair are not there: the fewer, the nearer it is to its end.
    /// The column `lacking` is out of use.
    private static let repairMargin = """
        ALTER TABLE repairs ADD COLUMN tolerance INTEGER NOT NULL DEFAULT 2;
        ALTER TABLE repairs ADD COLUMN margin INTEGER NOT NULL DEFAULT 0;
        UPDATE repairs SET margin = tolerance - lacking;
        DROP INDEX repairs_by_node;
        CREATE INDEX repairs_by_node ON repairs (node, margin, due_at);
        """

    /// See ``LeaseStore``. Without a holder, a lease is free.
    private static let leases = """
        CREATE TABLE leases (
            name TEXT NOT NULL PRIMARY KEY,
            holder BLOB,
            epoch INTEGER NOT NULL,
            renewals INTEGER NOT NULL
        ) WITHOUT ROWID;
        """

    /// storage_class: null for the cluster's default. See ``ReencodingRecord`` for the orders: of is_older 0 the position is a key, of 1
    /// a key and a version. reencoded_blobs: what has taken the place of a blob that something else still refers to.
    private static let bucketStorageClass = """
        ALTER TABLE buckets ADD COLUMN storage_class TEXT;
        CREATE TABLE reencodings (
            bucket INTEGER NOT NULL PRIMARY KEY,
            id BLOB NOT NULL,
            object_count INTEGER NOT NULL,
            is_older INTEGER NOT NULL DEFAULT 0,
            position BLOB,
            position_version BLOB,
            examined INTEGER NOT NULL DEFAULT 0,
            failed INTEGER NOT NULL DEFAULT 0,
            reencoded INTEGER NOT NULL DEFAULT 0,
            reencoded_bytes INTEGER NOT NULL DEFAULT 0
        );
        CREATE TABLE reencoded_blobs (
            reencoding BLOB NOT NULL,
            blob BLOB NOT NULL,
            replacement BLOB NOT NULL,
            PRIMARY KEY (reencoding, blob)
        ) WITHOUT ROWID;
        """

    /// Storing a small object inserts into two trees: `objects` and `blobs`.
    private static let initial = """
        CREATE TABLE settings (
            name TEXT NOT NULL PRIMARY KEY,
            value BLOB NOT NULL
        ) WITHOUT ROWID;

        -- 'objects' and 'bytes' (of their content), 'repairs' (queued).
        CREATE TABLE counters (
            name TEXT NOT NULL PRIMARY KEY,
            value INTEGER NOT NULL
        ) WITHOUT ROWID;
        INSERT INTO counters (name, value) VALUES ('objects', 0), ('bytes', 0), ('repairs', 0);

        CREATE TABLE nodes (
            id BLOB NOT NULL PRIMARY KEY,
            address TEXT NOT NULL,
            zone TEXT NOT NULL,
            added_at INTEGER NOT NULL
        ) WITHOUT ROWID;

        CREATE TABLE layouts (
            version INTEGER NOT NULL PRIMARY KEY,
            encoded BLOB NOT NULL,
            created_at INTEGER NOT NULL
        );

        -- versioning: 0 never enabled, 1 enabled, 2 suspended.
        CREATE TABLE buckets (
            id INTEGER NOT NULL PRIMARY KEY,
            name BLOB NOT NULL UNIQUE,
            versioning INTEGER NOT NULL DEFAULT 0,
            created_at INTEGER NOT NULL
        );

        -- What refers to a blob: objects, their older versions, and parts of uploads in progress.
        CREATE TABLE blobs (
            id BLOB NOT NULL PRIMARY KEY,
            byte_count INTEGER NOT NULL,
            chunk_size INTEGER NOT NULL,
            layout_version INTEGER NOT NULL,
            storage_class TEXT NOT NULL,
            reference_count INTEGER NOT NULL
        ) WITHOUT ROWID;

        -- The latest version of every key that is not deleted: a listing reads nothing else.
        -- blob: the content's only blob; where there is none or several, null, and object_blobs has blob_count of them.
        CREATE TABLE objects (
            bucket INTEGER NOT NULL,
            name BLOB NOT NULL,
            version BLOB NOT NULL,
            is_null_version INTEGER NOT NULL DEFAULT 1,
            byte_count INTEGER NOT NULL,
            file_name BLOB,
            content_type BLOB NOT NULL,
            etag TEXT NOT NULL,
            crc32c INTEGER,
            created_at INTEGER NOT NULL,
            user_metadata TEXT,
            blob BLOB,
            blob_count INTEGER NOT NULL,
            PRIMARY KEY (bucket, name)
        ) WITHOUT ROWID;

        -- Versions that are not the latest, and delete markers. A key whose latest version is a delete marker has no row in
        -- objects; the greatest version here is then the latest.
        CREATE TABLE object_versions (
            bucket INTEGER NOT NULL,
            name BLOB NOT NULL,
            version BLOB NOT NULL,
            is_null_version INTEGER NOT NULL,
            is_delete_marker INTEGER NOT NULL,
            byte_count INTEGER NOT NULL,
            file_name BLOB,
            content_type BLOB NOT NULL,
            etag TEXT NOT NULL,
            crc32c INTEGER,
            created_at INTEGER NOT NULL,
            user_metadata TEXT,
            blob BLOB,
            blob_count INTEGER NOT NULL,
            PRIMARY KEY (bucket, name, version)
        ) WITHOUT ROWID;

        CREATE TABLE object_blobs (
            version BLOB NOT NULL,
            position INTEGER NOT NULL,
            blob BLOB NOT NULL,
            PRIMARY KEY (version, position)
        ) WITHOUT ROWID;

        CREATE TABLE multipart_uploads (
            bucket INTEGER NOT NULL,
            name BLOB NOT NULL,
            id BLOB NOT NULL,
            file_name BLOB,
            content_type BLOB NOT NULL,
            user_metadata TEXT,
            created_at INTEGER NOT NULL,
            PRIMARY KEY (bucket, name, id)
        ) WITHOUT ROWID;

        CREATE TABLE multipart_parts (
            upload BLOB NOT NULL,
            number INTEGER NOT NULL,
            blob BLOB NOT NULL,
            byte_count INTEGER NOT NULL,
            etag TEXT NOT NULL,
            crc32c INTEGER,
            created_at INTEGER NOT NULL,
            PRIMARY KEY (upload, number)
        ) WITHOUT ROWID;

        CREATE TABLE garbage (
            blob BLOB NOT NULL PRIMARY KEY,
            byte_count INTEGER NOT NULL,
            chunk_size INTEGER NOT NULL,
            layout_version INTEGER NOT NULL,
            storage_class TEXT NOT NULL,
            since INTEGER NOT NULL
        ) WITHOUT ROWID;

        CREATE TABLE repairs (
            blob BLOB NOT NULL,
            chunk INTEGER NOT NULL,
            fragment INTEGER NOT NULL,
            node BLOB NOT NULL,
            layout_version INTEGER NOT NULL,
            reason TEXT NOT NULL,
            attempts INTEGER NOT NULL,
            due_at INTEGER NOT NULL,
            PRIMARY KEY (blob, chunk, fragment, node)
        ) WITHOUT ROWID;
        CREATE INDEX repairs_by_node ON repairs (node, due_at);
        """
}

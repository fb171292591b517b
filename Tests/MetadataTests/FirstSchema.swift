/// The tables as the first version of the program made them, kept apart from the program: what is out there does not change when a
/// migration is edited that must not be.
enum FirstSchema {
    static let sql = """
        PRAGMA application_id = 1665551684;
        CREATE TABLE grdb_migrations (identifier TEXT NOT NULL PRIMARY KEY);
        INSERT INTO grdb_migrations (identifier) VALUES ('0001-initial');

        CREATE TABLE settings (
            name TEXT NOT NULL PRIMARY KEY,
            value BLOB NOT NULL
        ) WITHOUT ROWID;

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

        CREATE TABLE buckets (
            id INTEGER NOT NULL PRIMARY KEY,
            name BLOB NOT NULL UNIQUE,
            versioning INTEGER NOT NULL DEFAULT 0,
            created_at INTEGER NOT NULL
        );

        CREATE TABLE blobs (
            id BLOB NOT NULL PRIMARY KEY,
            byte_count INTEGER NOT NULL,
            chunk_size INTEGER NOT NULL,
            layout_version INTEGER NOT NULL,
            storage_class TEXT NOT NULL,
            reference_count INTEGER NOT NULL
        ) WITHOUT ROWID;

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

extension Schema {
    /// Accounts, what buckets know of themselves, versions and uploads of parts.
    ///
    /// attributes: see `ObjectAttributes`; null for none. part_count: of the parts that a version was made of, in version_parts; 0 for
    /// one that was not. The counter `buckets` is the id of the last bucket ever made: none is used again, or what was on its way to a
    /// bucket that is gone would come to another.
    static let versions = """
        CREATE TABLE accounts (
            id BLOB NOT NULL PRIMARY KEY,
            display_name BLOB NOT NULL,
            email BLOB,
            tenant BLOB,
            created_at INTEGER NOT NULL
        ) WITHOUT ROWID;
        CREATE UNIQUE INDEX accounts_by_email ON accounts (email);

        CREATE TABLE access_keys (
            access_key BLOB NOT NULL PRIMARY KEY,
            secret_key BLOB NOT NULL,
            account BLOB NOT NULL,
            is_enabled INTEGER NOT NULL,
            created_at INTEGER NOT NULL
        ) WITHOUT ROWID;
        CREATE INDEX access_keys_by_account ON access_keys (account, access_key);

        ALTER TABLE buckets ADD COLUMN owner BLOB;
        ALTER TABLE buckets ADD COLUMN is_locking INTEGER NOT NULL DEFAULT 0;
        CREATE INDEX buckets_by_owner ON buckets (owner, name);
        INSERT INTO counters (name, value) SELECT 'buckets', COALESCE(MAX(id), 0) FROM buckets;

        CREATE TABLE bucket_documents (
            bucket INTEGER NOT NULL,
            kind TEXT NOT NULL,
            text BLOB NOT NULL,
            PRIMARY KEY (bucket, kind)
        ) WITHOUT ROWID;

        ALTER TABLE objects ADD COLUMN attributes TEXT;
        ALTER TABLE objects ADD COLUMN part_count INTEGER NOT NULL DEFAULT 0;
        ALTER TABLE object_versions ADD COLUMN attributes TEXT;
        ALTER TABLE object_versions ADD COLUMN part_count INTEGER NOT NULL DEFAULT 0;
        CREATE UNIQUE INDEX object_versions_null ON object_versions (bucket, name) WHERE is_null_version = 1;

        -- What the parts of a version were: their blobs stand where those of any version do.
        CREATE TABLE version_parts (
            version BLOB NOT NULL,
            number INTEGER NOT NULL,
            byte_count INTEGER NOT NULL,
            etag TEXT NOT NULL,
            crc32c INTEGER,
            checksum TEXT,
            created_at INTEGER NOT NULL,
            PRIMARY KEY (version, number)
        ) WITHOUT ROWID;

        ALTER TABLE multipart_uploads ADD COLUMN attributes TEXT;
        CREATE UNIQUE INDEX multipart_uploads_by_id ON multipart_uploads (id);

        -- An empty part has no blob: which the table of the beginning could not say.
        ALTER TABLE multipart_parts RENAME TO multipart_parts_before;
        CREATE TABLE multipart_parts (
            upload BLOB NOT NULL,
            number INTEGER NOT NULL,
            blob BLOB,
            byte_count INTEGER NOT NULL,
            etag TEXT NOT NULL,
            crc32c INTEGER,
            checksum TEXT,
            created_at INTEGER NOT NULL,
            PRIMARY KEY (upload, number)
        ) WITHOUT ROWID;
        INSERT INTO multipart_parts (upload, number, blob, byte_count, etag, crc32c, created_at)
            SELECT upload, number, blob, byte_count, etag, crc32c, created_at FROM multipart_parts_before;
        DROP TABLE multipart_parts_before;

        -- How uploads were completed, for those who did not hear the answer.
        CREATE TABLE completed_uploads (
            id BLOB NOT NULL PRIMARY KEY,
            bucket INTEGER NOT NULL,
            name BLOB NOT NULL,
            parts_digest TEXT NOT NULL,
            etag TEXT NOT NULL,
            version BLOB NOT NULL,
            is_null_version INTEGER NOT NULL,
            versioning INTEGER NOT NULL,
            completed_at INTEGER NOT NULL
        ) WITHOUT ROWID;
        CREATE INDEX completed_uploads_by_time ON completed_uploads (completed_at);
        """
}

/// Accounts, their keys, and buckets.
extension SQL {
    private static let accountColumns = "accounts.id, accounts.display_name, accounts.email, accounts.tenant, accounts.created_at"
    static let account = "SELECT \(accountColumns) FROM accounts WHERE id = ?"
    static let accountByEmail = "SELECT \(accountColumns) FROM accounts WHERE email = ?"
    static let accounts = "SELECT \(accountColumns) FROM accounts ORDER BY id"
    static let insertAccount = "INSERT INTO accounts (id, display_name, email, tenant, created_at) VALUES (?, ?, ?, ?, ?)"

    private static let accessKeyColumns = "access_key, secret_key, account, is_enabled, access_keys.created_at"
    static let accessKeyWithAccount = """
        SELECT \(accessKeyColumns), \(accountColumns) FROM access_keys JOIN accounts ON accounts.id = access_keys.account
        WHERE access_key = ?
        """
    static let accessKey = "SELECT \(accessKeyColumns) FROM access_keys WHERE access_key = ?"
    static let accessKeys = "SELECT \(accessKeyColumns) FROM access_keys ORDER BY access_key"
    static let accessKeysOfAccount = "SELECT \(accessKeyColumns) FROM access_keys WHERE account = ? ORDER BY access_key"
    static let insertAccessKey = """
        INSERT INTO access_keys (access_key, secret_key, account, is_enabled, created_at) VALUES (?, ?, ?, ?, ?)
        """
    static let setAccessKey = "UPDATE access_keys SET is_enabled = ? WHERE access_key = ?"
    static let deleteAccessKey = "DELETE FROM access_keys WHERE access_key = ?"

    /// In the order of `Row.bucket()`.
    static let bucketColumns = "buckets.id, buckets.name, buckets.created_at, owner, versioning, is_locking, storage_class"
    static let bucket = "SELECT \(bucketColumns) FROM buckets WHERE name = ?"
    static let bucketName = "SELECT name FROM buckets WHERE id = ?"
    static let bucketByID = "SELECT \(bucketColumns) FROM buckets WHERE id = ?"
    /// As many rows as documents; one, whose last columns are null, for a bucket without.
    static let bucketWithDocuments = """
        SELECT \(bucketColumns), bucket_documents.kind, bucket_documents.text
        FROM buckets LEFT JOIN bucket_documents ON bucket_documents.bucket = buckets.id WHERE buckets.name = ?
        """
    static let buckets = "SELECT \(bucketColumns) FROM buckets WHERE name >= ? ORDER BY name LIMIT ?"
    static let bucketsOfOwner = "SELECT \(bucketColumns) FROM buckets WHERE owner IS ? AND name >= ? ORDER BY name LIMIT ?"
    static let versioning = "SELECT versioning FROM buckets WHERE id = ?"
    static let lastBucketID = "SELECT value FROM counters WHERE name = 'buckets'"
    static let insertBucket = "INSERT INTO buckets (id, name, created_at, owner, versioning, is_locking) VALUES (?, ?, ?, ?, ?, ?)"
    static let setVersioning = "UPDATE buckets SET versioning = ? WHERE id = ?"
    static let enableLocking = "UPDATE buckets SET is_locking = 1, versioning = ? WHERE id = ?"
    static let deleteBucket = "DELETE FROM buckets WHERE id = ?"
    static let saveDocument = """
        INSERT INTO bucket_documents (bucket, kind, text) VALUES (?, ?, ?)
        ON CONFLICT (bucket, kind) DO UPDATE SET text = excluded.text
        """
    static let deleteDocument = "DELETE FROM bucket_documents WHERE bucket = ? AND kind = ?"
    static let deleteDocuments = "DELETE FROM bucket_documents WHERE bucket = ?"
    static let documentsOfKind = """
        SELECT \(bucketColumns), bucket_documents.text FROM bucket_documents JOIN buckets ON buckets.id = bucket_documents.bucket
        WHERE bucket_documents.kind = ? AND bucket_documents.bucket > ? ORDER BY bucket_documents.bucket LIMIT ?
        """
    static let anyObject = "SELECT 1 FROM objects WHERE bucket = ? LIMIT 1"
    static let anyVersion = "SELECT 1 FROM object_versions WHERE bucket = ? LIMIT 1"
}

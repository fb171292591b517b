/// Every statement of the store, apart from the schema: those of buckets and what is in them stand in extensions. All are prepared once a
/// connection and kept.
enum SQL {
    static let begin = "BEGIN IMMEDIATE"
    static let commit = "COMMIT"
    static let rollback = "ROLLBACK"
    static let beginRequest = "SAVEPOINT request"
    static let endRequest = "RELEASE request"
    static let undoRequest = "ROLLBACK TO request"

    static let addToCounter = "UPDATE counters SET value = value + ? WHERE name = ?"
    static let counters = "SELECT name, value FROM counters"

    static let setting = "SELECT value FROM settings WHERE name = ?"
    static let insertSetting = "INSERT INTO settings (name, value) VALUES (?, ?)"
    static let saveSetting = "INSERT INTO settings (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value"
    static let saveNode = """
        INSERT INTO nodes (id, address, zone, added_at, weight, membership) VALUES (?, ?, ?, ?, ?, ?)
        ON CONFLICT (id) DO UPDATE SET address = excluded.address, zone = excluded.zone, added_at = excluded.added_at,
            weight = excluded.weight, membership = excluded.membership
        """
    static let nodes = "SELECT id, address, zone, added_at, weight, membership FROM nodes ORDER BY id"
    static let layout = "SELECT 1 FROM layouts WHERE version = ?"
    static let insertLayout = "INSERT INTO layouts (version, encoded, created_at) VALUES (?, ?, ?)"
    static let layouts = "SELECT version, encoded FROM layouts ORDER BY version"

    static let insertLease = "INSERT INTO leases (name, holder, epoch, renewals) VALUES (?, NULL, 0, 0) ON CONFLICT (name) DO NOTHING"
    static let renewLease = "UPDATE leases SET renewals = renewals + 1 WHERE name = ? AND holder = ?"
    /// What is compared with NULL is not equal to it: without a record that was seen, only a free lease is taken.
    static let takeLease = """
        UPDATE leases SET holder = ?, epoch = epoch + 1, renewals = 0
        WHERE name = ? AND (holder IS NULL OR (holder = ? AND epoch = ? AND renewals = ?))
        """
    static let lease = "SELECT holder, epoch, renewals FROM leases WHERE name = ?"
    static let releaseLease = "UPDATE leases SET holder = NULL WHERE name = ? AND holder = ?"

    private static let blobColumns = "id, byte_count, chunk_size, layout_version, storage_class"
    static let blobs = "SELECT \(blobColumns) FROM blobs WHERE id > ? ORDER BY id LIMIT ?"
    static let blob = "SELECT \(blobColumns) FROM blobs WHERE id = ?"
    static let moveBlob = "UPDATE blobs SET layout_version = ? WHERE id = ? AND layout_version < ?"
    static let unmoved = """
        SELECT storage_class, COUNT(*), SUM(byte_count), MIN(layout_version) FROM blobs WHERE layout_version < ? GROUP BY storage_class
        """
    static let isInRepair = "SELECT 1 FROM repairs WHERE blob = ? LIMIT 1"

    static let referToBlob = """
        INSERT INTO blobs (id, byte_count, chunk_size, layout_version, storage_class, reference_count) VALUES (?, ?, ?, ?, ?, 1)
        ON CONFLICT (id) DO UPDATE SET reference_count = blobs.reference_count + 1
        """
    static let references = "SELECT reference_count FROM blobs WHERE id = ?"
    static let releaseBlob = "UPDATE blobs SET reference_count = reference_count - 1 WHERE id = ?"
    static let moveBlobToGarbage = """
        INSERT INTO garbage (blob, byte_count, chunk_size, layout_version, storage_class, since)
        SELECT id, byte_count, chunk_size, layout_version, storage_class, ? FROM blobs WHERE id = ?
        """
    static let deleteBlob = "DELETE FROM blobs WHERE id = ?"
    static let garbageTotals = "SELECT COUNT(*), COALESCE(SUM(byte_count), 0) FROM garbage"
    static let isGarbage = "SELECT 1 FROM garbage WHERE blob = ?"
    static let insertGarbage = """
        INSERT INTO garbage (blob, byte_count, chunk_size, layout_version, storage_class, since) VALUES (?, ?, ?, ?, ?, ?)
        ON CONFLICT (blob) DO NOTHING
        """
    static let garbage = """
        SELECT blob, byte_count, chunk_size, layout_version, storage_class, since FROM garbage WHERE blob > ?
        ORDER BY blob LIMIT ?
        """
    static let deleteGarbage = "DELETE FROM garbage WHERE blob = ?"

    static let insertRepair = """
        INSERT INTO repairs (layout_version, reason, tolerance, attempts, due_at, blob, chunk, fragment, node)
        VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
        ON CONFLICT (blob, chunk, fragment, node) DO NOTHING
        """
    static let repairsByReason = "SELECT reason, COUNT(*) FROM repairs GROUP BY reason"
    static let chunksInRepair = "SELECT COUNT(*) FROM (SELECT DISTINCT blob, chunk FROM repairs) AS chunks"
    static let dueRepairs = """
        SELECT blob, chunk, fragment, layout_version, reason, tolerance, attempts, due_at FROM repairs
        WHERE node = ? AND margin = ? AND due_at <= ?
        ORDER BY due_at, blob, chunk, fragment LIMIT ?
        """
    /// The least above one: so that only what is due is read, however much waits for its time.
    static let nextMargin = "SELECT MIN(margin) FROM repairs WHERE node = ? AND margin > ?"
    static let countMargin = """
        UPDATE repairs SET margin = tolerance - (SELECT COUNT(*) FROM repairs WHERE blob = ?1 AND chunk = ?2) WHERE blob = ?1 AND chunk = ?2
        """
    /// As if a node's were gone already.
    static let countMarginWithout = """
        UPDATE repairs SET margin = tolerance - (
            SELECT COUNT(*) FROM repairs AS others
            WHERE others.blob = repairs.blob AND others.chunk = repairs.chunk AND others.node <> ?1
        ) WHERE (blob, chunk) IN (SELECT blob, chunk FROM repairs WHERE node = ?1)
        """
    static let deleteRepair = "DELETE FROM repairs WHERE blob = ? AND chunk = ? AND fragment = ? AND node = ?"
    static let deleteRepairsOfNode = "DELETE FROM repairs WHERE node = ?"
    static let deleteRepairsOfBlob = "DELETE FROM repairs WHERE blob = ?"
    static let postponeRepair = """
        UPDATE repairs SET attempts = attempts + 1, due_at = ? WHERE blob = ? AND chunk = ? AND fragment = ? AND node = ?
        """
}

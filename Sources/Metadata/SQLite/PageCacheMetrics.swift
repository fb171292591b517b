internal import CoreMetrics
internal import GRDB
internal import GRDBSQLite

/// How often a page of the database was at hand, over all connections.
enum PageCacheMetrics {
    private static let hits = Counter(label: "chunkflow_metadata_page_cache_hits_total")
    private static let misses = Counter(label: "chunkflow_metadata_page_cache_misses_total")

    /// Takes over what a connection has counted since it was asked last. Must be called on the connection's thread.
    static func collect(_ database: Database) {
        take(SQLITE_DBSTATUS_CACHE_HIT, of: database, into: hits)
        take(SQLITE_DBSTATUS_CACHE_MISS, of: database, into: misses)
    }

    private static func take(_ figure: Int32, of database: Database, into counter: Counter) {
        var current: Int32 = 0
        var highest: Int32 = 0
        guard let connection = database.sqliteConnection else { return }
        guard sqlite3_db_status(connection, figure, &current, &highest, 1) == SQLITE_OK, current > 0 else { return }
        counter.increment(by: Int(current))
    }
}

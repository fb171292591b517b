public import Core

/// A node whose fragments can be had without its having looked at them.
public protocol StoredFragments: Sendable {
    /// Reads a fragment for one who verifies every piece, and calls ``ChunkTransport/get(_:range:deliver:)`` where one fails.
    /// - Throws: like that.
    func getUnverified(
        _ id: FragmentID, range: Range<Int>?, deliver: @escaping @Sendable (StoredPiece) async throws -> Void
    ) async throws -> FragmentInfo
}

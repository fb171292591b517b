public import Core

extension ChunkStore {
    /// Removes fragments, quarantined ones too, and gives their space back. Returns once that is durable.
    ///
    /// What is not there is no error. All of `ids` go in one batch.
    public func delete(_ ids: [FragmentID]) async throws {
        try await gate.withOperation {
            defer { checkpointIfDue() }
            let stored = ids.filter { engine.index.needsTombstone($0) }
            guard !stored.isEmpty else { return }
            try await reclaim(try await smallRecords.commit(.tombstones(stored)))
        }
    }
}

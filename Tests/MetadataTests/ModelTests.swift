import Core
import Metadata
import Testing

/// What the store should hold, kept in dictionaries.
private struct Model {
    var objects: [String: ObjectRecord] = [:]
    var garbage: [BlobID: GarbageRecord] = [:]
    var repairs: [String: RepairRecord] = [:]

    static func name(_ repair: RepairRecord) -> String { "\(repair.fragment)@\(repair.node)" }

    var references: [BlobID: Int] {
        objects.values.flatMap(\.blobs).reduce(into: [:]) { $0[$1.id, default: 0] += 1 }
    }

    mutating func discard(_ blobs: [BlobRecord], at time: Timestamp) {
        for blob in blobs where references[blob.id] == nil && garbage[blob.id] == nil {
            garbage[blob.id] = GarbageRecord(blob: blob, since: time)
        }
    }

    mutating func enqueue(_ added: [RepairRecord]) {
        for repair in added where repairs[Self.name(repair)] == nil { repairs[Self.name(repair)] = repair }
    }
}

extension RepairRecord {
    /// Fragments of the chunk that wait.
    fileprivate func lacking(_ model: Model) -> Int { model.repairs.values.count { $0.fragment.chunk == fragment.chunk } }
}

@Suite struct ModelTests {
    @Test("the store does what a model in memory does, through random histories", arguments: UInt64(0)..<12)
    func random(seed: UInt64) async throws {
        // Some in memory, some in files that are closed and opened on the way.
        let directory = seed % 3 == 0 ? try TemporaryDirectory() : nil
        var options = SQLiteMetadataStore.Options()
        options.durability = .none
        var store = try await openStore(directory?.database, options: options)
        let random = SeededRandom(seed: seed)
        let fixture = try await store.fixture()
        var model = Model()
        var nextBlob = 1
        func key() -> String { ["", "a", "a/", "a/b", "b", "é", "e\u{301}", "z\0"][random.next(in: 0..<8)] }
        func repair() -> RepairRecord {
            Fixture.repair(
                random.next(in: 0..<nextBlob), chunk: UInt32(random.next(in: 0..<2)), node: 1 + random.next(in: 0..<3),
                dueAt: Int64(random.next(in: 0..<50)))
        }

        for step in 1...150 {
            let now = time(Int64(step))
            switch random.next(in: 0..<10) {
            case 0...3:
                var blobs = (0..<random.next(in: 0..<4)).map { nextBlob + $0 }
                nextBlob += blobs.count
                // Now and then a copy: it shares a blob.
                if random.next(in: 0..<4) == 0, let shared = model.references.keys.min() { blobs.append(Int(shared.uuid.high)) }
                let object = fixture.object(key(), version: step, blobs: blobs)
                let repairs = random.next(in: 0..<3) == 0 ? [repair(), repair()] : []
                try await store.commit(object, repairs: repairs)
                let previous = model.objects.updateValue(object, forKey: Self.exact(object.key))
                model.discard(previous?.blobs ?? [], at: now)
                model.enqueue(repairs)
            case 4:
                let key = key()
                let existed = try await store.deleteObject(in: fixture.bucket.id, key: key, at: now)
                let previous = model.objects.removeValue(forKey: Self.exact(key))
                #expect(existed == (previous != nil), "seed \(seed), step \(step)")
                model.discard(previous?.blobs ?? [], at: now)
            case 5:
                let blobs = (0..<2).map { _ in Fixture.blob(random.next(in: 0..<nextBlob + 2)) }
                try await store.addGarbage(blobs, at: now)
                model.discard(blobs, at: now)
                nextBlob += 2
            case 6:
                let blobs = model.garbage.keys.sorted().prefix(random.next(in: 0..<4))
                try await store.removeGarbage(Array(blobs))
                for blob in blobs {
                    model.garbage[blob] = nil
                    model.repairs = model.repairs.filter { $0.value.fragment.chunk.blob != blob }
                }
            case 7:
                let repairs = [repair(), repair()]
                try await store.enqueueRepairs(repairs)
                model.enqueue(repairs)
            case 8:
                let some = model.repairs.values.sorted { Model.name($0) < Model.name($1) }.prefix(2)
                if random.next(in: 0..<2) == 0 {
                    try await store.finishRepairs(Array(some))
                    for repair in some { model.repairs[Model.name(repair)] = nil }
                } else {
                    try await store.postponeRepairs(Array(some), until: now)
                    for old in some {
                        model.repairs[Model.name(old)] = RepairRecord(
                            fragment: old.fragment, node: old.node, layoutVersion: old.layoutVersion, reason: old.reason,
                            tolerance: old.tolerance, attempts: old.attempts + 1, dueAt: now)
                    }
                }
            default:
                guard let directory else { break }
                await store.close()
                store = try await openStore(directory.database, options: options)
            }
            try await compare(store, model, fixture, blobCount: nextBlob, at: now, "seed \(seed), step \(step)")
        }
        await store.close()
    }

    /// Keys are equal when their bytes are; strings when they look alike.
    private static func exact(_ key: String) -> String { hexadecimal(key.utf8) }

    private func compare(
        _ store: SQLiteMetadataStore, _ model: Model, _ fixture: Fixture, blobCount: Int, at now: Timestamp, _ place: Comment
    ) async throws {
        let objects = model.objects.sorted { $0.key < $1.key }.map(\.value)
        #expect(try await store.objects(in: fixture.bucket.id, after: nil, limit: 100) == objects, place)
        #expect(try await store.garbage(after: nil, limit: 1000) == model.garbage.values.sorted { $0.blob.id < $1.blob.id }, place)
        let byteCount = objects.reduce(0) { $0 + $1.byteCount }
        #expect(try await store.totals() == MetadataTotals(objectCount: Int64(objects.count), byteCount: byteCount), place)
        #expect(try await store.repairCount() == model.repairs.count, place)
        let nodes = (1...2).map(Fixture.node)
        let due = model.repairs.values.filter { nodes.contains($0.node) && $0.dueAt <= now }
            .sorted { ($1.lacking(model), $0.dueAt, $0.fragment, $0.node) < ($0.lacking(model), $1.dueAt, $1.fragment, $1.node) }
        #expect(try await store.dueRepairs(at: now, nodes: nodes, limit: 5) == Array(due.prefix(5)), place)
        let blobs = (0..<blobCount).map(Fixture.blobID)
        let known = Set(model.references.keys).union(model.garbage.keys)
        #expect(try await store.knownBlobs(among: blobs) == known.intersection(blobs), place)
    }
}

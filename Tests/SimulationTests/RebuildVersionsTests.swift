import ChunkTransport
import Core
import ErasureCoding
import Metadata
import ObjectStore
import Testing

/// What a rebuild makes of versions, of parts and of what is encrypted, which the nodes know only half.
@Suite("A rebuild of objects in buckets")
struct RebuildVersionsTests {
    private static func marker(_ scheduler: DeterministicScheduler) -> VersionID {
        VersionID(time: scheduler.now(), random: scheduler.random)
    }

    @Test("the versions that the snapshot has stay, those that were removed since are gone, and a later one becomes the latest")
    func versionsStay() throws {
        try RebuildScene.run { scheduler in
            let scene = try await RebuildScene(scheduler)
            let bucket = try await scene.bucket("versions", .enabled)
            var versions: [ObjectRecord] = []
            for seed in 1...3 { versions.append(try await scene.put("key", in: bucket, seed: UInt64(seed))) }
            let hidden = try await scene.put("hidden", in: bucket, seed: 9)
            _ = try await scene.cluster.metadata.delete(
                .latest, of: "hidden", in: bucket.id, marker: Self.marker(scheduler), owner: nil, condition: .none,
                bypassingGovernance: false, at: scheduler.now())
            try await scene.store.takeSnapshot()
            try await scene.deleteForGood(versions[0])
            versions.append(try await scene.put("key", in: bucket, seed: 4))

            let report = try await scene.rebuild()
            #expect(report[.known] == 3 && report[.recovered] == 1 && report[.gone] == 1, "\(report.counts)")
            #expect(report.entries.map(\.blob) == [versions[0].blobs[0].id])
            #expect(try await scene.versions(of: "key", in: "versions") == [versions[3].version, versions[2].version, versions[1].version])
            #expect(try await scene.versions(of: "hidden", in: "versions") == [nil, hidden.version])
            #expect(try await scene.garbageCount() == 0)
            try await scene.cluster.startDistributor()
            try await scheduler.sleep(for: .seconds(120))
            for (seed, object) in zip(2...4, versions.dropFirst()) {
                let kept = try #require(try await scene.version(object.version, of: "key", in: "versions"))
                #expect(kept.userMetadata == ["seed": "\(seed)"] && kept.contentType == "text/\(seed)")
                #expect(try await scene.holds(kept, seed: UInt64(seed)))
            }
            await scene.cluster.stopDistributor()
        }
    }

    @Test("when the latest version was removed after the snapshot, the one before it is the latest again, and no delete marker is made")
    func olderBecomesLatest() throws {
        try RebuildScene.run { scheduler in
            let scene = try await RebuildScene(scheduler)
            let bucket = try await scene.bucket("versions", .enabled)
            let first = try await scene.put("key", in: bucket, seed: 1)
            let second = try await scene.put("key", in: bucket, seed: 2)
            try await scene.store.takeSnapshot()
            try await scene.deleteForGood(second)
            let report = try await scene.rebuild()
            #expect(report[.known] == 1 && report[.gone] == 1)
            #expect(try await scene.versions(of: "key", in: "versions") == [first.version])
            #expect(try await scene.cluster.metadata.object(in: bucket.id, key: "key") == first)
        }
    }

    @Test("a locked version of which nothing is left was lost, not deleted: it stays, and is reported as damaged")
    func lockedVersionStays() throws {
        try RebuildScene.run { scheduler in
            let scene = try await RebuildScene(scheduler)
            let bucket = try await scene.bucket("locked", .enabled)
            let object = try await scene.put("key", in: bucket, seed: 1) { $0.isOnLegalHold = true }
            try await scene.store.takeSnapshot()
            await scene.cluster.stopDistributor()
            for node in scene.cluster.nodes {
                let page = try await node.list(after: nil, limit: 1000)
                try await node.delete(page.fragments.map(\.id).filter { $0.chunk.blob == object.blobs[0].id })
            }
            let report = try await scene.rebuild()
            #expect(report[.damaged] == 1 && report[.gone] == 0)
            #expect(try await scene.versions(of: "key", in: "locked") == [object.version])
        }
    }

    @Test("without a snapshot all versions of a key come back, the youngest as the latest")
    func withoutSnapshot() throws {
        try RebuildScene.run { scheduler in
            let scene = try await RebuildScene(scheduler)
            let bucket = try await scene.bucket("versions", .enabled)
            for seed in 1...3 {
                _ = try await scene.put("key", in: bucket, seed: UInt64(seed))
                try await scheduler.sleep(for: .seconds(5))
            }
            _ = try await scene.put("other", in: bucket, seed: 4)
            let report = try await scene.rebuild()
            #expect(report[.recovered] == 4 && report.entries.isEmpty, "\(report.entries)")
            try await scene.cluster.startDistributor()
            let made = try #require(try await scene.cluster.metadata.bucket(named: "versions"))
            // Nobody knows whether it was on: what is there stays, and nothing is added to it.
            #expect(made.versioning == .suspended)
            let versions = try await scene.versions(of: "key", in: "versions")
            #expect(versions.count == 3)
            for (seed, version) in zip([3, 2, 1], versions) {
                let name = try #require(version)
                let object = try #require(try await scene.version(name, of: "key", in: "versions"))
                #expect(try await scene.holds(object, seed: UInt64(seed)))
            }
            await scene.cluster.stopDistributor()
        }
    }

    @Test("what was overwritten after the snapshot is hidden by what took its place, and still not removed at once")
    func replacedIsNoGarbage() throws {
        try RebuildScene.run { scheduler in
            let scene = try await RebuildScene(scheduler)
            let bucket = try await scene.bucket("plain")
            let old = try await scene.put("key", in: bucket, seed: 1)
            try await scene.store.takeSnapshot()
            // Nobody collects what is replaced.
            let store = try scene.store
            await scene.cluster.stopDistributor()
            let new = try await scene.put("key", in: bucket, seed: 2, by: store)
            let report = try await scene.rebuild()
            #expect(report[.superseded] == 1 && report[.recovered] == 1)
            #expect(report.entries.map(\.blob) == [old.blobs[0].id])
            #expect(try await scene.garbageCount() == 0)
            try await scene.cluster.startDistributor()
            try await scheduler.sleep(for: .seconds(120))
            let latest = try #require(try await scene.cluster.metadata.object(in: bucket.id, key: "key"))
            #expect(latest.version == new.version)
            #expect(try await scene.holds(latest, seed: 2))
            let blobs = Set(try await scene.cluster.inventory().values.joined().map(\.chunk.blob))
            #expect(blobs.isSuperset(of: [old.blobs[0].id, new.blobs[0].id]))
            await scene.cluster.stopDistributor()
        }
    }

    @Test("versions that were stored anew after the snapshot keep their names, their order and all that only the snapshot knows of them")
    func storedAnew() throws {
        try RebuildScene.run { scheduler in
            let scene = try await RebuildScene(scheduler)
            let bucket = try await scene.bucket("anew", .enabled)
            var versions: [ObjectRecord] = []
            for seed in 1...2 {
                versions.append(
                    try await scene.put("key", in: bucket, seed: UInt64(seed)) {
                        $0.owner = "bert"
                        $0.tags = [.init(key: "seed", value: "\(seed)")]
                    })
            }
            // It shares the blob of the version that it is a copy of, and nothing on the nodes names it.
            let (_, copied) = try await scene.store.copy(
                versions[1],
                to: ObjectDescription(
                    bucket: bucket, key: "copy", contentType: "text/copy", userMetadata: [:], attributes: ObjectAttributes()))
            try await scene.store.takeSnapshot()
            _ = try await scene.store.setStorageClass(StorageClass("ec-2-1"), ofBucket: "anew", reencode: true)
            for object in versions { try await scene.waitUntilGone(object) }
            let report = try await scene.rebuild()
            #expect(report[.recovered] == 3 && report[.gone] == 0 && report.entries.isEmpty, "\(report.counts)")
            #expect(try await scene.versions(of: "key", in: "anew") == [versions[1].version, versions[0].version])
            try await scene.cluster.startDistributor()
            for (seed, object) in zip(1...2, versions) {
                let kept = try #require(try await scene.version(object.version, of: "key", in: "anew"))
                #expect(kept.attributes == object.attributes && kept.createdAt == object.createdAt && kept.etag == object.etag)
                #expect(kept.blobs[0].id != object.blobs[0].id && kept.blobs[0].storageClass == "ec-2-1")
                #expect(try await scene.holds(kept, seed: UInt64(seed)))
            }
            let copy = try #require(try await scene.version(copied.version, of: "copy", in: "anew"))
            #expect(copy.contentType == "text/copy")
            #expect(try await scene.holds(copy, seed: 2))
            await scene.cluster.stopDistributor()
        }
    }

    @Test("objects of parts and uploads in progress come from the snapshot whole; a part that came later is one, and no file")
    func parts() throws {
        try RebuildScene.run { scheduler in
            let scene = try await RebuildScene(scheduler)
            let bucket = try await scene.bucket("parts")
            func upload(_ key: String) -> UploadRecord {
                UploadRecord(
                    id: UploadID(time: scheduler.now(), random: scheduler.random), bucket: bucket.id, key: key, contentType: "text/plain",
                    userMetadata: [:], attributes: ObjectAttributes(), createdAt: scheduler.now())
            }
            func complete(_ upload: UploadRecord, _ parts: [PartRecord]) async throws {
                let object = ObjectRecord(
                    bucket: bucket.id, key: upload.key, version: Self.marker(scheduler), byteCount: parts.reduce(0) { $0 + $1.byteCount },
                    fileName: nil, contentType: "text/plain", etag: "e-\(parts.count)", crc32c: nil, createdAt: scheduler.now(),
                    userMetadata: [:], attributes: ObjectAttributes(), blobs: parts.compactMap(\.blob))
                _ = try await scene.cluster.metadata.completeUpload(
                    upload.id, as: object, parts: parts, partsDigest: "d", condition: .none)
            }
            let (done, open) = (upload("done"), upload("open"))
            for one in [done, open] { try await scene.cluster.metadata.createUpload(one) }
            var parts: [PartRecord] = []
            for number in 1...2 {
                parts.append(try await scene.putPart(number, of: done, in: bucket, seed: UInt64(number), byteCount: 150_000))
            }
            try await complete(done, parts)
            _ = try await scene.putPart(1, of: open, in: bucket, seed: 5, byteCount: 70_000)
            try await scene.store.takeSnapshot()
            _ = try await scene.putPart(2, of: open, in: bucket, seed: 6, byteCount: 70_000)

            let report = try await scene.rebuild()
            #expect(report[.known] == 1 && report[.part] == 1 && report[.recovered] == 0, "\(report.counts)")
            #expect(try await scene.garbageCount() == 0)
            try await scene.cluster.startDistributor()
            let object = try #require(try await scene.cluster.metadata.object(in: bucket.id, key: "done"))
            #expect(object.blobs.map(\.id) == parts.compactMap { $0.blob?.id })
            let waiting = try await scene.cluster.metadata.parts(of: open.id, after: 0, limit: 10)
            #expect(waiting.map(\.number) == [1])
            try await complete(open, waiting)
            let completed = try #require(try await scene.cluster.metadata.object(in: bucket.id, key: "open"))
            #expect(try await scene.holds(completed, seed: 5))
            await scene.cluster.stopDistributor()
        }
    }

    @Test("what is encrypted comes from the snapshot with its keys; of what came later only the metadata could have made an object")
    func encrypted() throws {
        try RebuildScene.run { scheduler in
            let scene = try await RebuildScene(scheduler)
            let bucket = try await scene.bucket("secret")
            let encryption = ObjectAttributes.Encryption(mode: .managed, keyName: "master", wrappedKey: "d3JhcHBlZA==")
            let kept = try await scene.put("kept", in: bucket, seed: 1) { $0.encryption = encryption }
            try await scene.store.takeSnapshot()
            _ = try await scene.put("lost", in: bucket, seed: 2) { $0.encryption = encryption }
            let report = try await scene.rebuild()
            #expect(report[.known] == 1 && report[.part] == 1 && report[.recovered] == 0, "\(report.counts)")
            #expect(try await scene.version(kept.version, of: "kept", in: "secret") == kept)
            #expect(try await scene.cluster.metadata.object(in: bucket.id, key: "lost") == nil)
        }
    }
}

import Core
import Metadata
import ObjectStore
import Testing

@Suite("The read plan")
struct ReadPlanTests {
    private func blob(_ number: UInt64, byteCount: Int64, chunkSize: Int) -> BlobRecord {
        BlobRecord(
            id: BlobID(uuid: UUIDv7(high: number, low: number)), byteCount: byteCount, chunkSize: chunkSize, layoutVersion: 1,
            storageClass: "replicated-3")
    }

    @Test("names every byte of a range exactly once and in order, across chunks and blobs", arguments: 1...60 as ClosedRange<UInt64>)
    func coversRange(seed: UInt64) {
        let random = SeededRandom(seed: seed)
        let blobs = (0..<UInt64(random.next(in: 1..<5))).map {
            blob($0, byteCount: Int64(random.next(in: 0..<1000)), chunkSize: random.next(in: 1..<300))
        }
        // Every byte of the object, by name.
        let bytes = blobs.flatMap { blob in (0..<blob.byteCount).map { ChunkByte(blob: blob, offset: $0) } }
        guard !bytes.isEmpty else { return }
        let lower = random.next(in: 0..<bytes.count)
        let upper = random.next(in: lower..<bytes.count + 1)
        let planned = ReadPlan(blobs: blobs, range: Int64(lower)..<Int64(upper)).flatMap { read in
            read.range.map { ChunkByte(chunk: read.chunk, offset: $0) }
        }
        #expect(planned == Array(bytes[lower..<upper]), "seed \(seed)")
    }

    private struct ChunkByte: Equatable {
        let chunk: ChunkID
        let offset: Int

        init(chunk: ChunkID, offset: Int) {
            self.chunk = chunk
            self.offset = offset
        }

        init(blob: BlobRecord, offset: Int64) {
            chunk = ChunkID(blob: blob.id, index: UInt32(offset / Int64(blob.chunkSize)))
            self.offset = Int(offset % Int64(blob.chunkSize))
        }
    }

    @Test("knows the length of a chunk that ends early")
    func lastChunk() {
        let reads = Array(ReadPlan(blobs: [blob(1, byteCount: 250, chunkSize: 100)], range: 120..<250))
        #expect(reads.map(\.chunkByteCount) == [100, 50])
        #expect(reads.map(\.range) == [20..<100, 0..<50])
    }
}

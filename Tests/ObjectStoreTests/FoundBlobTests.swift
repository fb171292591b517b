import ChunkTransport
import Core
import Metadata
import ObjectStore
import Testing

@Suite("What is found on the nodes")
struct FoundBlobTests {
    private static let id = BlobID(uuid: UUIDv7(high: 5, low: 5))

    private static func record(_ byteCount: Int64, _ storageClass: String) -> BlobRecord {
        BlobRecord(id: id, byteCount: byteCount, chunkSize: 65_536, layoutVersion: 1, storageClass: storageClass)
    }

    private static func census(_ fragments: [(chunk: UInt32, number: UInt8, node: Int, byteCount: Int)]) -> FragmentCensus {
        FragmentCensus(
            fragments.flatMap { fragment in
                FragmentCensus.entries(
                    [
                        FragmentInfo(
                            id: FragmentID(chunk: ChunkID(blob: id, index: fragment.chunk), number: fragment.number),
                            byteCount: fragment.byteCount)
                    ], on: fragment.node)
            })
    }

    @Test("copies are counted chunk by chunk, those of another length not at all")
    func copies() {
        let all = Self.census([(1, 0, 2, 10), (0, 0, 1, 65_536), (0, 0, 2, 65_536), (1, 0, 1, 10), (0, 0, 3, 65_535)])
        #expect(all[Self.id].survival(as: Self.record(65_546, "replicated")) == .readable(fewest: 2))
        #expect(all[Self.id].survival(as: Self.record(65_547, "replicated")) == .damaged(chunk: 1))
        #expect(all[Self.id].survival(as: Self.record(65_536 * 2 + 1, "replicated")) == .damaged(chunk: 1))
        #expect(all[BlobID(uuid: UUIDv7(high: 6, low: 0))].survival(as: Self.record(1, "replicated")) == .gone)
        #expect(all.fragmentCount == 5)
    }

    @Test("an empty blob is its empty chunk")
    func empty() {
        #expect(Self.census([(0, 0, 1, 0)])[Self.id].survival(as: Self.record(0, "replicated")) == .readable(fewest: 1))
        #expect(Self.census([])[Self.id].survival(as: Self.record(0, "replicated")) == .gone)
    }

    @Test("of a code, different fragments are needed: copies of one are worth one")
    func coded() {
        let length = 16_384
        let enough = Self.census((0..<4).map { (0, UInt8($0), $0, length) })
        #expect(enough[Self.id].survival(as: Self.record(65_536, "ec-4-2")) == .readable(fewest: 4))
        let copies = Self.census([(0, 0, 0, length), (0, 0, 1, length), (0, 1, 2, length), (0, 2, 3, length), (0, 9, 4, length)])
        #expect(copies[Self.id].survival(as: Self.record(65_536, "ec-4-2")) == .damaged(chunk: 0))
    }

    @Test("blobs are gone through from either end, each once", arguments: 1...20 as ClosedRange<UInt64>)
    func walk(seed: UInt64) {
        let random = SeededRandom(seed: seed)
        let ids = (0..<random.next(in: 0..<40)).map { _ in BlobID(uuid: UUIDv7(high: random.next() % 8, low: random.next() % 8)) }
        let census = FragmentCensus(
            ids.flatMap { id in
                FragmentCensus.entries([FragmentInfo(id: FragmentID(chunk: ChunkID(blob: id, index: 0)), byteCount: 1)], on: 0)
            })
        let expected = Set(ids).sorted()
        let limit = random.next(in: 1..<5)
        var (forward, backward): ([BlobID], [BlobID]) = ([], [])
        while case let page = census.blobs(after: forward.last, limit: limit), !page.isEmpty { forward += page.map(\.id) }
        while case let page = census.blobs(before: backward.last, limit: limit), !page.isEmpty { backward += page.map(\.id) }
        #expect(forward == expected, "seed \(seed)")
        #expect(backward == expected.reversed(), "seed \(seed)")
    }

    @Test("a descriptor says again what it was told, and leaves out what does not fit rather than fail")
    func descriptor() throws {
        var object = BlobDescriptor.Object(
            bucket: "files", key: "a/b", version: "v", fileName: "n", contentType: "t", createdAt: 7, userMetadata: ["x": "y"])
        let storage = BlobDescriptor.Storage(storageClass: "ec-4-2", chunkSize: 65_536, layoutVersion: 3, quorum: 5)
        let content = BlobDescriptor.Content(byteCount: 9, etag: "e", crc32c: 1, completedAt: 8)
        let whole = BlobDescriptor(object: object, storage: storage, content: content)
        #expect(BlobDescriptor(decoding: try whole.encoded()) == whole)
        object.userMetadata = ["x": String(repeating: "\u{1}", count: 8_000)]
        let shortened = try BlobDescriptor(object: object, storage: storage, content: content).encoded()
        #expect(shortened.count <= TransportLimits.maximumDescriptorSize)
        let read = try #require(BlobDescriptor(decoding: shortened))
        #expect(read.object?.isShortened == true && read.object?.key == "a/b" && read.content == content)
    }

    @Test("what a newer version wrote is not guessed at, and neither is what is no descriptor")
    func unknownFormats() throws {
        #expect(BlobDescriptor(decoding: Array(#"{"format":1,"later":{"x":1}}"#.utf8)) == BlobDescriptor())
        for text in [#"{"format":2}"#, "{}", "", "x", #"{"bucket":"files","key":"k"}"#] {
            #expect(BlobDescriptor(decoding: Array(text.utf8)) == nil)
        }
    }
}

import Core
import Metadata
import NIOCore
import Testing

@testable import S3API

@Suite("Encrypted segments")
struct SegmentTests {
    private static let segment = SegmentLayout.segmentByteCount

    private static func bytes(_ count: Int, seed: UInt64) -> [UInt8] {
        let random = SeededRandom(seed: seed)
        return (0..<count).map { _ in UInt8(truncatingIfNeeded: random.next()) }
    }

    /// A blob, encrypted from pieces of random sizes.
    private static func sealed(_ plain: [UInt8], _ key: DataKey, part: Int = 0, seed: UInt64 = 1) throws -> [UInt8] {
        var sealer = SegmentSealer(key, part: part, algorithms: [.sha256])
        let random = SeededRandom(seed: seed)
        var output = ByteBuffer()
        var position = 0
        while position < plain.count {
            let end = min(plain.count, position + random.next(in: 1..<3 * segment))
            sealer.add(ByteBuffer(bytes: plain[position..<end]))
            position = end
            if random.next(in: 0..<2) == 0 { output.writeImmutableBuffer(try sealer.seal(isEnd: false)) }
        }
        output.writeImmutableBuffer(try sealer.seal(isEnd: true))
        var digest = ContentDigest(algorithms: [.sha256])
        digest.update(ByteBuffer(bytes: plain))
        #expect(sealer.digest.value(of: .sha256) == digest.value(of: .sha256) && sealer.digest.byteCount == plain.count)
        return Array(output.readableBytesView)
    }

    private static func blob(_ byteCount: Int) -> BlobRecord {
        BlobRecord(
            id: BlobID(time: Timestamp(millisecondsSince1970: 1), random: SeededRandom(seed: 7)), byteCount: Int64(byteCount),
            chunkSize: 1 << 20,
            layoutVersion: 1, storageClass: "replicated")
    }

    /// What a reader gets of stored blobs, fed in pieces of random sizes.
    private static func opened(
        _ blobs: [[UInt8]], parts: [Int], _ key: DataKey, range: Range<Int64>, seed: UInt64 = 1
    ) throws -> [UInt8] {
        let sections = try SegmentOpener.sections(blobs.map { blob($0.count) }, parts: parts, holding: range)
        guard let first = sections.first, let last = sections.last else { return [] }
        let stored = blobs.flatMap { $0 }
        let salt = first.beginsBlob ? nil : ByteBuffer(bytes: stored[Int(first.storedStart)...].prefix(SegmentLayout.saltByteCount))
        var opener = SegmentOpener(sections, key: key, salt: salt)
        let random = SeededRandom(seed: seed)
        var rest = stored[Int(first.storedRange.lowerBound)..<Int(last.storedRange.upperBound)]
        var output: [UInt8] = []
        while !rest.isEmpty {
            let piece = rest.prefix(random.next(in: 1..<3 * segment))
            rest = rest.dropFirst(piece.count)
            opener.add(ByteBuffer(bytes: piece))
            if opener.canOpen { output += try opener.open().readableBytesView }
        }
        #expect(opener.isAtEnd && opener.pendingByteCount == 0)
        return output
    }

    private static let sizes = [
        0, 1, 15, 16, segment - 1, segment, segment + 1, 2 * segment - 1, 2 * segment, 2 * segment + 1, 5 * segment + 7,
    ]

    @Test("every size around the end of a segment comes back, and its place can be computed", arguments: sizes)
    func everySize(size: Int) throws {
        let (plain, key) = (Self.bytes(size, seed: UInt64(size)), DataKey())
        let stored = try Self.sealed(plain, key)
        let layout = try #require(SegmentLayout(storedByteCount: Int64(stored.count)))
        #expect(layout.plainByteCount == size && layout.storedByteCount == stored.count)
        #expect(try Self.opened([stored], parts: [0], key, range: 0..<Int64(size)) == plain)
    }

    @Test("a stored size that no blob has is none")
    func impossibleSizes() {
        for size in [0, 32, 47, 32 + Self.segment + 16 + 1, 32 + Self.segment + 16 + 16] {
            #expect(SegmentLayout(storedByteCount: Int64(size)) == nil, "\(size)")
        }
        for plain in [0, 1, Self.segment, Self.segment + 1, 10 * Self.segment] {
            let layout = SegmentLayout(plainByteCount: Int64(plain))
            #expect(SegmentLayout(storedByteCount: layout.storedByteCount) == layout)
        }
    }

    @Test(
        "any range of parts of any size reads as it was written, and touches no more segments than it must",
        arguments: [1, 2, 3] as [UInt64])
    func ranges(seed: UInt64) throws {
        let random = SeededRandom(seed: seed)
        let key = DataKey()
        let plainParts = (0..<4).map { index in
            Self.bytes(index == 2 ? [0, 1, Self.segment][Int(seed) - 1] : random.next(in: 1..<3 * Self.segment), seed: random.next())
        }
        let parts = [1, 2, 5, 9]
        let blobs = try zip(plainParts, parts).map { try Self.sealed($0, key, part: $1, seed: random.next()) }
        let whole = plainParts.flatMap { $0 }
        for _ in 0..<60 {
            let lower = random.next(in: 0..<whole.count)
            let upper = random.next(in: lower + 1..<whole.count + 1)
            let range = Int64(lower)..<Int64(upper)
            let found = try Self.opened(blobs, parts: parts, key, range: range, seed: random.next())
            #expect(found == Array(whole[lower..<upper]), "seed \(seed), \(range)")
            let sections = try SegmentOpener.sections(blobs.map { Self.blob($0.count) }, parts: parts, holding: range)
            var start = 0
            var needed = 0
            for part in plainParts {
                let (first, end) = (max(lower, start), min(upper, start + part.count))
                if first < end { needed += (end - 1 - start) / Self.segment - (first - start) / Self.segment + 1 }
                // An empty part has one segment, which is read along.
                if part.isEmpty, lower < start, start < upper { needed += 1 }
                start += part.count
            }
            #expect(sections.reduce(0) { $0 + $1.segments.count } == needed, "seed \(seed), \(range)")
        }
    }

    private static func isRefused(_ blobs: [[UInt8]], parts: [Int] = [0], _ key: DataKey) -> Bool {
        do {
            let byteCount = blobs.reduce(0) { $0 + (SegmentLayout(storedByteCount: Int64($1.count))?.plainByteCount ?? 0) }
            _ = try opened(blobs, parts: parts, key, range: 0..<max(1, byteCount))
            return false
        } catch {
            return error is EncryptionError
        }
    }

    @Test("a bit that is flipped anywhere is found")
    func flippedBit() throws {
        let key = DataKey()
        let stored = try Self.sealed(Self.bytes(2 * Self.segment + 100, seed: 1), key)
        #expect(!Self.isRefused([stored], key))
        let random = SeededRandom(seed: 5)
        let ends = [0, 31, 32, 32 + Self.segment, 32 + Self.segment + 15, stored.count - 1, stored.count - 17]
        for place in ends + (0..<20).map({ _ in random.next(in: 0..<stored.count) }) {
            var damaged = stored
            damaged[place] ^= 1 << UInt8(random.next(in: 0..<8))
            #expect(Self.isRefused([damaged], key), "seed 5, byte \(place)")
        }
    }

    @Test("what was cut short, swapped, repeated or put elsewhere does not open")
    func moved() throws {
        let (key, sealedByteCount) = (DataKey(), SegmentLayout.sealedByteCount)
        let stored = try Self.sealed(Self.bytes(3 * Self.segment, seed: 2), key)
        let salt = Array(stored.prefix(SegmentLayout.saltByteCount))
        let segments = (0..<3).map { Array(stored[(salt.count + $0 * sealedByteCount)...].prefix(sealedByteCount)) }
        for order in [[0, 1], [0], [1, 0, 2], [0, 0, 2], [0, 1, 1], [0, 1, 2, 2], [2], [1, 2]] {
            #expect(Self.isRefused([salt + order.flatMap { segments[$0] }], key), "\(order)")
        }
        #expect(Self.isRefused([Array(stored.dropLast(1))], key))
        #expect(Self.isRefused([Array(stored.dropLast(Self.segment))], key))
        // Another blob's salt, another key, another part's place.
        let other = try Self.sealed(Self.bytes(3 * Self.segment, seed: 2), key)
        #expect(Self.isRefused([Array(other.prefix(salt.count)) + stored.dropFirst(salt.count)], key))
        #expect(Self.isRefused([stored], DataKey()))
        #expect(Self.isRefused([stored], parts: [1], key))
        let parts = try [1, 2].map { try Self.sealed(Self.bytes(Self.segment, seed: UInt64($0)), key, part: $0) }
        #expect(!Self.isRefused(parts, parts: [1, 2], key))
        #expect(Self.isRefused(parts.reversed(), parts: [1, 2], key))
        #expect(Self.isRefused([parts[0]], parts: [1, 2], key))
    }

    @Test("an empty object has something to authenticate, too")
    func empty() throws {
        let key = DataKey()
        let stored = try Self.sealed([], key)
        #expect(stored.count == SegmentLayout.saltByteCount + SegmentLayout.tagByteCount)
        let cipher = key.cipher(salt: stored.prefix(SegmentLayout.saltByteCount), part: 0)
        let tag = Array(stored.dropFirst(SegmentLayout.saltByteCount))
        #expect(tag.withUnsafeBytes { cipher.open($0, index: 0, isLast: true) }?.isEmpty == true)
        #expect(tag.withUnsafeBytes { cipher.open($0, index: 0, isLast: false) } == nil)
    }

    @Test("the same bytes are never encrypted to the same")
    func salted() throws {
        let (key, plain) = (DataKey(), Self.bytes(100, seed: 3))
        let (first, second) = (try Self.sealed(plain, key), try Self.sealed(plain, key))
        #expect(first != second)
    }

    @Test("a body is encrypted as it is read, in pieces that have a bound")
    func streaming() async throws {
        let (key, plain) = (DataKey(), Self.bytes(20 * Self.segment + 5, seed: 4))
        let pieces = stride(from: 0, to: plain.count, by: 50_000).map { ByteBuffer(bytes: plain[$0..<min($0 + 50_000, plain.count)]) }
        let body = AsyncStream(ByteBuffer.self) { continuation in
            for piece in pieces { continuation.yield(piece) }
            continuation.finish()
        }
        let sealed = SealedBody(body, by: SegmentSealer(key, part: 0, algorithms: [.crc32]), executor: InlineExecutor())
        var stored: [UInt8] = []
        for try await bytes in sealed {
            #expect(bytes.readableBytes <= SegmentSealer.batchByteCount + 2 * Self.segment)
            stored += bytes.readableBytesView
        }
        var digest = ContentDigest(algorithms: [.crc32])
        digest.update(ByteBuffer(bytes: plain))
        #expect(sealed.digest.md5Bytes() == digest.md5Bytes() && sealed.digest.value(of: .crc32) == digest.value(of: .crc32))
        #expect(try Self.opened([stored], parts: [0], key, range: 0..<Int64(plain.count)) == plain)
    }
}

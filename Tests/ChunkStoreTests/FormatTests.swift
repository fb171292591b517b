import ChunkStore
import Core
import Testing

@Suite("Formats on the disk")
struct FormatTests {
    /// The store of the golden files: a fragment of 100 bytes with a descriptor, an empty one, the deletion of the first.
    private func makeStore() async throws -> SimulatedDisk {
        let disk = SimulatedDisk()
        let store = try await StoreFixture.open(disk, random: SeededRandom(seed: 42))
        let blob = BlobID(uuid: UUIDv7(high: 0x0102_0304_0506_7708, low: 0x8900_0000_0000_00AB))
        try await store.put(
            FragmentID(chunk: ChunkID(blob: blob, index: 0x0A0B_0C0D), number: 5), Array(0..<100), descriptor: Array("hello".utf8))
        try await store.put(FragmentID(chunk: ChunkID(blob: blob, index: 1)), [])
        try await store.put(FragmentID(chunk: ChunkID(blob: blob, index: 2)), Array(repeating: 0x55, count: 70_000))
        try await store.delete([FragmentID(chunk: ChunkID(blob: blob, index: 0x0A0B_0C0D), number: 5)])
        await store.close()
        return disk
    }

    @Test("a segment is what docs/formats/segment.md says, byte for byte")
    func segment() async throws {
        let content = try #require(try await makeStore().content(of: "00000001.segment"))
        #expect(content.count == 4416)
        #expect(hexadecimal(content[0..<32]) == Golden.segmentHeader)
        #expect(Array(content[2048..<2080]) == Array(content[0..<32]))
        #expect(hexadecimal(content[4096..<4288]) == Golden.erasedRecord)
        #expect(hexadecimal(content[4288..<4352]) == Golden.emptyRecord)
        #expect(hexadecimal(content[4352..<4416]) == Golden.tombstone)
    }

    @Test("a record's header holds what the format says, at the offsets that it says")
    func fields() async throws {
        let content = try #require(try await makeStore().content(of: "00000001.segment"))
        func number(_ offset: Int, _ count: Int) -> UInt64 {
            content[offset..<offset + count].reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        }
        let salt = number(16, 8)
        let record = 4096
        #expect(String(decoding: content[0..<8], as: UTF8.self) == "cfSEGMNT")
        #expect(number(8, 4) == 1)
        #expect(number(12, 4) == 1)
        let checksum = CRC32C.checksum(Array(content[0..<28]))
        #expect(number(28, 4) == UInt64(checksum))
        let mark = mix64(salt &+ 4096)
        #expect(number(record, 8) == mark)
        #expect(number(record + 8, 8) == 0x0102_0304_0506_7708)
        #expect(number(record + 16, 8) == 0x8900_0000_0000_00AB)
        #expect(number(record + 24, 4) == 0x0A0B_0C0D)
        #expect(number(record + 28, 4) == 100)
        #expect(number(record + 32, 8) == 1)
        #expect(number(record + 40, 8) == 1)
        #expect(number(record + 52, 2) == 5)
        #expect(number(record + 54, 1) == 5)
        #expect(number(record + 55, 1) == 3)
        #expect(Array(content[(record + 64)..<(record + 164)]) == Array<UInt8>(0..<100))
        let table = Array(content[(record + 164)..<(record + 168)])
        let descriptor = Array("hello".utf8)
        let payloadChecksum = CRC32C.checksum(Array<UInt8>(0..<100))
        #expect(number(record + 164, 4) == UInt64(payloadChecksum))
        #expect(number(record + 48, 4) == UInt64(CRC32C.checksum(table)))
        #expect(number(record + 56, 4) == UInt64(CRC32C.checksum(descriptor)))
        #expect(Array(content[(record + 168)..<(record + 173)]) == descriptor)
        #expect(Array(content[(record + 173)..<(record + 192)]) == [UInt8](repeating: 0, count: 19))
        let headerChecksum = content.withUnsafeBytes {
            CRC32C.checksum(UnsafeRawBufferPointer(rebasing: $0[record..<record + 60]), continuing: UInt32(truncatingIfNeeded: salt))
        }
        #expect(number(record + 60, 4) == UInt64(headerChecksum))
    }

    @Test("a checkpoint is what docs/formats/checkpoint.md says, byte for byte")
    func checkpoint() async throws {
        let content = try #require(try await makeStore().content(of: "checkpoint"))
        #expect(content.count == 208)
        #expect(hexadecimal(content) == Golden.checkpoint)
    }

    @Test("a store that an earlier build wrote opens")
    func goldenStore() async throws {
        let disk = SimulatedDisk()
        func bytes(_ text: String) -> [UInt8] {
            let digits = Array(text.utf8).map { $0 < 58 ? $0 - 48 : $0 - 87 }
            return stride(from: 0, to: digits.count, by: 2).map { digits[$0] << 4 | digits[$0 + 1] }
        }
        var segment = bytes(Golden.segmentHeader)
        segment.append(contentsOf: repeatElement(0, count: 4096 - 32))
        for part in [Golden.erasedRecord, Golden.emptyRecord, Golden.tombstone] { segment.append(contentsOf: bytes(part)) }
        try segment.withUnsafeBytes { try disk.create("00000001.segment").write($0, at: 0) }
        let store = try await StoreFixture.open(disk)
        let blob = BlobID(uuid: UUIDv7(high: 0x0102_0304_0506_7708, low: 0x8900_0000_0000_00AB))
        #expect(store.all() == [FragmentInfo(id: FragmentID(chunk: ChunkID(blob: blob, index: 1)), byteCount: 0)])
    }
}

/// Written by the first build of version 1. A difference is a new version of the format.
enum Golden {
    static let segmentHeader = "63665345474d4e54010000000100000003f166b233e3ef2800000000d524051b"
    static let erasedRecord =
        "38abc0590e647e550877060504030201ab000000000000890d0c0b0a6400000001000000000000000100000000000000"
        + "8bca3930050005034cbb719a4681b354000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
        + "202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f404142434445464748494a4b4c4d4e4f"
        + "505152535455565758595a5b5c5d5e5f60616263e5ebcac168656c6c6f00000000000000000000000000000000000000"
    static let emptyRecord =
        "819acad73cfd14d10877060504030201ab00000000000089010000000000000002000000000000000200000000000000"
        + "000000000000000100000000319bde4b"
    static let tombstone =
        "aa1441c07596ac3a0877060504030201ab000000000000890d0c0b0a0000000004000000000000000400000000000000"
        + "00000000000005020000000063b7bfcf"
    static let checkpoint =
        "636643484b504e540100000002000000956eeb2f2632d7bd0500000000000000ffffffffffffffff0300000000000000"
        + "020000000000000000000000000000000100000000000000401100000000000003f166b233e3ef280200000000000000"
        + "c021010000000000529f0f13576752470877060504030201ab0000000000008901000000010000000000000043000000"
        + "0877060504030201ab000000000000890200000002000000701101004000000002000000000000000000000000000000"
        + "636643484b504e54923a047100000000"
}

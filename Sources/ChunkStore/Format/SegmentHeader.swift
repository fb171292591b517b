internal import Core

/// The first 4 KiB of a segment (docs/formats/segment.md): the same 32 bytes at offsets 0 and 2048, so that one bad
/// sector does not cost a whole segment.
struct SegmentHeader: Equatable {
    static let byteCount = 4096
    private static let copyOffsets = [0, 2048]
    private static let copyByteCount = 32
    /// "cfSEGMNT" read as little-endian bytes.
    private static let magic: UInt64 = 0x544E_4D47_4553_6663
    private static let version: UInt32 = 1

    var number: UInt32
    /// Random; known to nobody who can only store and read fragments.
    var salt: UInt64

    func encoded() -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: Self.byteCount)
        bytes.withUnsafeMutableBytes { whole in
            for offset in Self.copyOffsets {
                let copy = UnsafeMutableRawBufferPointer(rebasing: whole[offset..<offset + Self.copyByteCount])
                copy.store(Self.magic, at: 0)
                copy.store(Self.version, at: 8)
                copy.store(number, at: 12)
                copy.store(salt, at: 16)
                copy.store(UInt32(0), at: 24)
                copy.store(Self.checksum(UnsafeRawBufferPointer(copy)), at: 28)
            }
        }
        return bytes
    }

    /// - Returns: nil when neither copy is whole.
    static func decode(_ bytes: UnsafeRawBufferPointer) -> SegmentHeader? {
        for offset in copyOffsets where bytes.count >= offset + copyByteCount {
            let copy = UnsafeRawBufferPointer(rebasing: bytes[offset..<offset + copyByteCount])
            guard copy.load(at: 0, as: UInt64.self) == magic, copy.load(at: 8, as: UInt32.self) == version,
                copy.load(at: 28, as: UInt32.self) == checksum(copy)
            else { continue }
            return SegmentHeader(number: copy.load(at: 12, as: UInt32.self), salt: copy.load(at: 16, as: UInt64.self))
        }
        return nil
    }

    private static func checksum(_ copy: UnsafeRawBufferPointer) -> UInt32 {
        CRC32C.checksum(UnsafeRawBufferPointer(rebasing: copy[0..<28]))
    }
}

/// The name of a segment's file: its number in eight hexadecimal digits, then `.segment`.
enum SegmentName {
    private static let suffix = ".segment"
    /// Numbers have 24 bits in the index; 0 means "nowhere".
    static let maximumNumber: UInt32 = 0xFF_FFFF

    static func make(_ number: UInt32) -> String {
        let digits = String(number, radix: 16)
        return String(repeating: "0", count: 8 - digits.count) + digits + suffix
    }

    static func parse(_ name: String) -> UInt32? {
        guard name.hasSuffix(suffix), let number = UInt32(name.dropLast(suffix.count), radix: 16), make(number) == name,
            (1...maximumNumber).contains(number)
        else { return nil }
        return number
    }
}

/// A 128-bit identifier whose first 48 bits are the milliseconds since 1970 at which it was made (RFC 9562, version 7).
///
/// Time comes first so that rows keyed by it are inserted side by side in a B-tree, and so that the age of something
/// that only its name survived of (an orphaned fragment) can be told from the name alone.
public struct UUIDv7: Hashable, Sendable, Comparable {
    public let high: UInt64
    public let low: UInt64

    public init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }

    /// Makes a fresh identifier: 48 bits of `time`, 74 random bits, version and variant.
    public init(time: Timestamp, random: some RandomSource) {
        let milliseconds = UInt64(max(0, time.millisecondsSince1970)) & 0xFFFF_FFFF_FFFF
        high = milliseconds << 16 | 0x7000 | (random.next() & 0x0FFF)
        low = 0x8000_0000_0000_0000 | (random.next() >> 2)
    }

    /// When the identifier was made, by the clock of the machine that made it.
    public var time: Timestamp { Timestamp(millisecondsSince1970: Int64(high >> 16)) }

    public static func < (left: UUIDv7, right: UUIDv7) -> Bool {
        (left.high, left.low) < (right.high, right.low)
    }
}

extension UUIDv7: CustomStringConvertible, LosslessStringConvertible {
    /// Lower-case hexadecimal in the groups 8-4-4-4-12.
    public var description: String {
        var text = ""
        text.reserveCapacity(36)
        for position in 0..<32 {
            if position == 8 || position == 12 || position == 16 || position == 20 { text.append("-") }
            let word = position < 16 ? high : low
            let digit = Int(word >> UInt64(60 - 4 * (position % 16)) & 0xF)
            text.unicodeScalars.append(Unicode.Scalar(UInt8(digit < 10 ? 48 + digit : 87 + digit)))
        }
        return text
    }

    /// Reads exactly the form that ``description`` writes (either case); anything else gives nil.
    public init?(_ text: String) {
        var words: [UInt64] = [0, 0]
        var digits = 0
        var position = 0
        for byte in text.utf8 {
            defer { position += 1 }
            if position == 8 || position == 13 || position == 18 || position == 23 {
                guard byte == UInt8(ascii: "-") else { return nil }
                continue
            }
            let value: UInt8
            switch byte {
            case UInt8(ascii: "0")...UInt8(ascii: "9"): value = byte - 48
            case UInt8(ascii: "a")...UInt8(ascii: "f"): value = byte - 87
            case UInt8(ascii: "A")...UInt8(ascii: "F"): value = byte - 55
            default: return nil
            }
            guard digits < 32 else { return nil }
            words[digits / 16] = words[digits / 16] << 4 | UInt64(value)
            digits += 1
        }
        guard digits == 32, position == 36 else { return nil }
        self.init(high: words[0], low: words[1])
    }
}

extension UUIDv7 {
    public static let byteCount = 16

    /// Big-endian, so that byte order is time order.
    public var bytes: [UInt8] {
        [high, low].flatMap { word in (0..<8).map { UInt8(truncatingIfNeeded: word >> UInt64(56 - 8 * $0)) } }
    }

    /// - Returns: nil unless there are exactly 16 bytes.
    public init?(bytes: some Collection<UInt8>) {
        guard bytes.count == Self.byteCount else { return nil }
        let high = bytes.prefix(8).reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        let low = bytes.dropFirst(8).reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        self.init(high: high, low: low)
    }
}

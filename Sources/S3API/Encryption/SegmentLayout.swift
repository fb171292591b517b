/// Where the bytes of a blob are while they are encrypted (docs/decisions/0017-encryption.md): a salt, then segments, each with a tag behind it.
/// Arithmetic only.
struct SegmentLayout: Hashable, Sendable {
    static let saltByteCount = 32
    static let tagByteCount = 16
    /// Plain bytes of every segment but the last.
    static let segmentByteCount = 64 * 1_024
    static let sealedByteCount = segmentByteCount + tagByteCount

    /// Plain bytes of the blob.
    let plainByteCount: Int64

    /// - Parameter storedByteCount: bytes of the blob as it is stored.
    /// - Returns: nil for what no encrypted blob can have.
    init?(storedByteCount: Int64) {
        let sealed = storedByteCount - Int64(Self.saltByteCount)
        guard sealed >= Int64(Self.tagByteCount) else { return nil }
        let segments = (sealed + Int64(Self.sealedByteCount) - 1) / Int64(Self.sealedByteCount)
        plainByteCount = sealed - segments * Int64(Self.tagByteCount)
        // Only an empty blob has an empty segment.
        guard plainByteCount >= 0, segmentCount == segments else { return nil }
    }

    /// - Precondition: `plainByteCount` is not negative.
    init(plainByteCount: Int64) {
        precondition(plainByteCount >= 0)
        self.plainByteCount = plainByteCount
    }

    /// At least 1: of an empty blob, too, there is something to authenticate.
    var segmentCount: Int64 { max(1, (plainByteCount + Int64(Self.segmentByteCount) - 1) / Int64(Self.segmentByteCount)) }

    var storedByteCount: Int64 { Int64(Self.saltByteCount) + plainByteCount + segmentCount * Int64(Self.tagByteCount) }

    /// Bytes of a segment as it is stored.
    func sealedByteCount(ofSegment index: Int64) -> Int {
        index < segmentCount - 1
            ? Self.sealedByteCount : Int(plainByteCount - (segmentCount - 1) * Int64(Self.segmentByteCount)) + Self.tagByteCount
    }

    /// The segments that hold a range of the plain bytes; of an empty range of an empty blob, its only one.
    /// - Precondition: the range lies within the blob.
    func segments(holding range: Range<Int64>) -> Range<Int64> {
        precondition(range.lowerBound >= 0 && range.upperBound <= plainByteCount)
        let first = min(range.lowerBound / Int64(Self.segmentByteCount), segmentCount - 1)
        let last = range.isEmpty ? first : (range.upperBound - 1) / Int64(Self.segmentByteCount)
        return first..<last + 1
    }

    /// Where a segment begins in the stored blob.
    func storedStart(ofSegment index: Int64) -> Int64 { Int64(Self.saltByteCount) + index * Int64(Self.sealedByteCount) }

    /// Where a segment ends in the stored blob.
    func storedEnd(ofSegment index: Int64) -> Int64 { storedStart(ofSegment: index) + Int64(sealedByteCount(ofSegment: index)) }
}

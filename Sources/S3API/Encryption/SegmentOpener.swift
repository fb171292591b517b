internal import Metadata
internal import NIOCore

/// Decrypts a range of an object, whose stored bytes it is fed in order: a value that whoever drives it feeds by hand.
struct SegmentOpener: Sendable {
    /// What is read of one blob.
    struct Section: Hashable, Sendable {
        let blob: BlobRecord
        let layout: SegmentLayout
        /// The number of the part that the blob is; 0 when it is none.
        let part: Int
        let segments: Range<Int64>
        /// Plain bytes of the blob that are wanted, all of them in `segments`.
        let wanted: Range<Int64>
        /// Where the blob begins among the object's stored bytes.
        let storedStart: Int64

        /// Whether the salt is among the bytes that are read anyway.
        var beginsBlob: Bool { segments.lowerBound == 0 }
        var storedRange: Range<Int64> {
            let start = storedStart + (beginsBlob ? 0 : layout.storedStart(ofSegment: segments.lowerBound))
            return start..<storedStart + layout.storedEnd(ofSegment: segments.upperBound - 1)
        }
    }

    private let key: DataKey
    /// Those that are not opened yet, the last one first.
    private var sections: [Section]
    private var cipher: SegmentCipher?
    private var nextIndex: Int64
    private var pending = ByteBuffer()

    /// - Parameters:
    ///   - sections: of blobs that follow each other; not empty. Only the first may begin within its blob.
    ///   - salt: of the first blob, unless the bytes that are fed begin with it.
    init(_ sections: [Section], key: DataKey, salt: ByteBuffer?) {
        precondition(!sections.isEmpty && (salt == nil) == sections[0].beginsBlob)
        self.key = key
        self.sections = sections.reversed()
        nextIndex = sections[0].segments.lowerBound
        if let salt { cipher = key.cipher(salt: salt.readableBytesView.map { $0 }, part: sections[0].part) }
    }

    mutating func add(_ bytes: ByteBuffer) { pending.writeImmutableBuffer(bytes) }

    /// Whether ``open()`` would get anywhere.
    var canOpen: Bool { sections.last.map { pending.readableBytes >= needed(of: $0) } ?? false }

    /// Bytes that wait to be opened.
    var pendingByteCount: Int { pending.readableBytes }

    /// Whether everything has been opened.
    var isAtEnd: Bool { sections.isEmpty }

    /// The blob that is being opened.
    var blob: String { sections.last.map { "\($0.blob.id)" } ?? "" }

    private func needed(of section: Section) -> Int {
        cipher == nil ? SegmentLayout.saltByteCount : section.layout.sealedByteCount(ofSegment: nextIndex)
    }

    /// Opens every segment of which all bytes are there. Holds a core meanwhile.
    /// - Returns: plain bytes of the range.
    /// - Throws: ``EncryptionError/damaged(blob:segment:)``: nothing behind what was returned so far is to be trusted.
    mutating func open() throws(EncryptionError) -> ByteBuffer {
        var output = ByteBuffer()
        output.reserveCapacity(pending.readableBytes)
        while let section = sections.last, let bytes = pending.readSlice(length: needed(of: section)) {
            guard let cipher else {
                self.cipher = key.cipher(salt: bytes.readableBytesView.map { $0 }, part: section.part)
                continue
            }
            let isLast = nextIndex == section.layout.segmentCount - 1
            guard let plain = bytes.withUnsafeReadableBytes({ cipher.open($0, index: nextIndex, isLast: isLast) }) else {
                throw .damaged(blob: "\(section.blob.id)", segment: nextIndex)
            }
            let start = nextIndex * Int64(SegmentLayout.segmentByteCount)
            let lower = Int(max(section.wanted.lowerBound - start, 0))
            let upper = Int(min(section.wanted.upperBound - start, Int64(plain.count)))
            if lower < upper { output.writeBytes(plain.dropFirst(lower).prefix(upper - lower)) }
            advance(beyond: section)
        }
        pending = ByteBuffer(bytes: pending.readableBytesView)
        return output
    }

    private mutating func advance(beyond section: Section) {
        nextIndex += 1
        guard nextIndex == section.segments.upperBound else { return }
        sections.removeLast()
        cipher = nil
        nextIndex = 0
    }
}

extension SegmentOpener {
    /// What must be read to have `range` of an object's plain bytes.
    /// - Parameter parts: the number of each blob, as ``Section/part``.
    /// - Returns: none for an empty range.
    /// - Throws: ``EncryptionError/damaged(blob:segment:)`` when the blobs are not what they should be.
    static func sections(_ blobs: [BlobRecord], parts: [Int], holding range: Range<Int64>) throws(EncryptionError) -> [Section] {
        guard blobs.count == parts.count else { throw .damaged(blob: blobs.first.map { "\($0.id)" } ?? "", segment: nil) }
        var sections: [Section] = []
        var (plainStart, storedStart): (Int64, Int64) = (0, 0)
        for (blob, part) in zip(blobs, parts) {
            guard let layout = SegmentLayout(storedByteCount: blob.byteCount) else { throw .damaged(blob: "\(blob.id)", segment: nil) }
            let wanted = range.clamped(to: plainStart..<plainStart + layout.plainByteCount)
            // An empty blob in between is read along: what is read stays in one piece.
            let isBetween = layout.plainByteCount == 0 && range.lowerBound < plainStart && plainStart < range.upperBound
            if !wanted.isEmpty || isBetween {
                let local = wanted.lowerBound - plainStart..<wanted.upperBound - plainStart
                sections.append(
                    Section(
                        blob: blob, layout: layout, part: part, segments: layout.segments(holding: local), wanted: local,
                        storedStart: storedStart))
            }
            plainStart += layout.plainByteCount
            storedStart += blob.byteCount
        }
        guard range.isEmpty || range.upperBound <= plainStart else {
            throw .damaged(blob: blobs.last.map { "\($0.id)" } ?? "", segment: nil)
        }
        return sections
    }
}

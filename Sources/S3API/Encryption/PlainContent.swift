internal import Core
internal import Metadata
internal import NIOCore
internal import ObjectStore

/// The plain bytes of an object, or of a range of it, however they are stored: read no faster than they are taken. One reader, once.
struct PlainContent: AsyncSequence, Sendable {
    typealias Element = ByteBuffer

    /// Below this many bytes a hop to another thread costs more than the work.
    private static let inlineLimit = 16 * 1_024

    private let store: ObjectStore
    private let object: ObjectRecord
    private let range: Range<Int64>
    private let sections: [SegmentOpener.Section]
    private let key: DataKey?

    /// - Parameter cipher: that of the object; nil when it is not encrypted.
    /// - Throws: ``EncryptionError/damaged(blob:segment:)``.
    init(of object: ObjectRecord, range: Range<Int64>, cipher: ObjectCipher?, store: ObjectStore) throws(EncryptionError) {
        self.store = store
        self.object = object
        self.range = range
        key = cipher?.key
        sections =
            try cipher.map { cipher throws(EncryptionError) in
                try SegmentOpener.sections(object.blobs, parts: cipher.partNumbers(blobCount: object.blobs.count), holding: range)
            } ?? []
    }

    func makeAsyncIterator() -> AsyncIterator { AsyncIterator(content: self) }

    struct AsyncIterator: AsyncIteratorProtocol {
        private let content: PlainContent
        private var stored: ObjectContent.AsyncIterator?
        private var opener: SegmentOpener?

        fileprivate init(content: PlainContent) { self.content = content }

        /// - Throws: ``EncryptionError``, `StoreError`.
        mutating func next() async throws -> ByteBuffer? {
            guard let key = content.key else { return try await nextStored(content.range) }
            guard let first = content.sections.first, let last = content.sections.last else { return nil }
            if opener == nil { opener = SegmentOpener(content.sections, key: key, salt: try await salt(of: first)) }
            while true {
                while !(opener?.canOpen ?? false) {
                    guard let bytes = try await nextStored(first.storedRange.lowerBound..<last.storedRange.upperBound) else {
                        guard opener?.isAtEnd ?? true else { throw EncryptionError.damaged(blob: opener?.blob ?? "", segment: nil) }
                        return nil
                    }
                    opener?.add(bytes)
                }
                let plain = try await open()
                if plain.readableBytes > 0 { return plain }
            }
        }

        private mutating func open() async throws -> ByteBuffer {
            if let pendingByteCount = opener?.pendingByteCount, pendingByteCount <= PlainContent.inlineLimit {
                return try opener?.open() ?? ByteBuffer()
            }
            let opened = try await content.store.digestExecutor.run { [opener] in
                var opener = opener
                let plain = try opener?.open()
                return (opener, plain)
            }
            opener = opened.0
            return opened.1 ?? ByteBuffer()
        }

        private mutating func nextStored(_ range: Range<Int64>) async throws -> ByteBuffer? {
            let reading = stored ?? content.store.content(of: content.object, range: range).makeAsyncIterator()
            stored = reading
            return try await reading.next()
        }

        /// - Returns: nil when it comes with the bytes that are read anyway.
        private func salt(of section: SegmentOpener.Section) async throws -> ByteBuffer? {
            if section.beginsBlob { return nil }
            var salt = ByteBuffer()
            let range = section.storedStart..<section.storedStart + Int64(SegmentLayout.saltByteCount)
            for try await bytes in content.store.content(of: content.object, range: range) { salt.writeImmutableBuffer(bytes) }
            return salt
        }
    }
}

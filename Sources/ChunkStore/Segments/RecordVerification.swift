internal import Core

/// Checks whole records against their checksums.
enum RecordVerification {
    /// Whether everything of the record of a fragment at `offset` is as it was written.
    static func isIntact(_ header: RecordHeader, at offset: Int, in window: FileWindow) -> Bool {
        let tableStart = offset + header.tableOffset
        guard let tableBytes = window.bytes(at: tableStart, count: header.tableByteCount),
            CRC32C.checksum(tableBytes) == header.tableChecksum
        else { return false }
        let table = (0..<header.tableByteCount / 4).map { tableBytes.load(at: 4 * $0, as: UInt32.self) }
        guard let descriptor = window.bytes(at: offset + header.descriptorOffset, count: header.descriptorByteCount),
            CRC32C.checksum(descriptor) == header.descriptorChecksum
        else { return false }
        var position = 0
        for checksum in table {
            let count = min(Piece.blockSize, header.payloadByteCount - position)
            guard let block = window.bytes(at: offset + RecordHeader.byteCount + position, count: count),
                CRC32C.checksum(block) == checksum
            else { return false }
            position += count
        }
        return true
    }
}

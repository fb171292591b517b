internal import Core

/// What follows a fragment's payload in its record: checksum table, descriptor, padding.
struct FragmentTail {
    let bytes: [UInt8]
    let tableChecksum: UInt32
    let descriptorChecksum: UInt32

    init(checksums: [UInt32], descriptor: [UInt8], payloadByteCount: Int) {
        let tableByteCount = 4 * checksums.count
        let end = RecordHeader.byteCount + payloadByteCount + tableByteCount + descriptor.count
        var bytes = [UInt8](repeating: 0, count: tableByteCount)
        bytes.withUnsafeMutableBytes { table in
            for (block, checksum) in checksums.enumerated() { table.store(checksum, at: 4 * block) }
        }
        tableChecksum = CRC32C.checksum(bytes)
        descriptorChecksum = CRC32C.checksum(descriptor)
        bytes.append(contentsOf: descriptor)
        bytes.append(contentsOf: repeatElement(0, count: RecordHeader.aligned(end) - end))
        self.bytes = bytes
    }
}

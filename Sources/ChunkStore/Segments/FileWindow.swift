/// Reads a file from front to back through one buffer. What the disk cannot read appears as zeros, which pass no checksum.
///
/// Not for several threads at once.
final class FileWindow {
    static let byteCount = 1 << 20
    private static let smallestRead = 4096

    private let file: any DiskFile
    private let fileByteCount: Int
    private let buffer: UnsafeMutableRawBufferPointer
    private var start = 0
    private var count = 0
    /// Stretches of ``smallestRead`` bytes that could not be read.
    private(set) var unreadableCount = 0

    init(file: any DiskFile, fileByteCount: Int) {
        self.file = file
        self.fileByteCount = fileByteCount
        buffer = .allocate(byteCount: Self.byteCount, alignment: 4096)
    }

    deinit { buffer.deallocate() }

    /// - Parameter count: at most ``byteCount``.
    /// - Returns: bytes that stay valid until the next call; nil when they lie beyond the end of the file.
    func bytes(at offset: Int, count wanted: Int) -> UnsafeRawBufferPointer? {
        precondition(wanted <= Self.byteCount)
        guard offset + wanted <= fileByteCount else { return nil }
        if offset < start || offset + wanted > start + count { fill(from: offset) }
        guard offset + wanted <= start + count else { return nil }
        return UnsafeRawBufferPointer(rebasing: buffer[(offset - start)..<(offset - start + wanted)])
    }

    private func fill(from offset: Int) {
        start = offset
        let wanted = min(Self.byteCount, fileByteCount - offset)
        do {
            count = try file.read(into: UnsafeMutableRawBufferPointer(rebasing: buffer[0..<wanted]), at: offset)
        } catch {
            count = wanted
            fillAroundBadSectors(from: offset, count: wanted)
        }
    }

    private func fillAroundBadSectors(from offset: Int, count: Int) {
        var position = 0
        while position < count {
            let part = UnsafeMutableRawBufferPointer(rebasing: buffer[position..<min(position + Self.smallestRead, count)])
            let read = (try? file.read(into: part, at: offset + position)) ?? 0
            if read < part.count {
                part.initializeMemory(as: UInt8.self, repeating: 0)
                unreadableCount += 1
            }
            position += part.count
        }
    }
}

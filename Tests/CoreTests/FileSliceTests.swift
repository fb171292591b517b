import Core
import Foundation
import NIOCore
import Testing

@Suite("Bytes of a file")
struct FileSliceTests {
    private static func withFile(_ bytes: [UInt8], _ body: (FileHandle, URL) throws -> Void) throws {
        let url = FileManager.default.temporaryDirectory.appendingPathComponent("slice-\(UUID().uuidString)")
        try Data(bytes).write(to: url)
        defer { try? FileManager.default.removeItem(at: url) }
        try body(try FileHandle(forUpdating: url), url)
    }

    @Test("are there as long as the slice, whatever becomes of the file and its first descriptor")
    func life() throws {
        try Self.withFile(Array(0..<200)) { file, url in
            let slice = try #require(FileSlice(of: file.fileDescriptor, offset: 10, byteCount: 100))
            try file.close()
            try FileManager.default.removeItem(at: url)
            #expect(slice.byteCount == 100)
            for _ in 0..<2 { #expect(try slice.read() == ByteBuffer(bytes: Array(10..<110 as Range<UInt8>))) }
        }
    }

    @Test("that are not there are an error")
    func end() throws {
        try Self.withFile(Array(0..<200)) { file, _ in
            let slice = try #require(FileSlice(of: file.fileDescriptor, offset: 150, byteCount: 100))
            #expect(throws: IOError.self) { try slice.read() }
        }
        #expect(FileSlice(of: -1, offset: 0, byteCount: 1) == nil)
    }

    @Test("that could not be sent for want of a connection say nothing of the file")
    func failures() throws {
        try Self.withFile([1]) { file, _ in
            let failure = SliceFailure()
            let slice = try #require(FileSlice(of: file.fileDescriptor, offset: 0, byteCount: 1, failure: failure))
            for code in [EPIPE, ECONNRESET, ENOTCONN, ETIMEDOUT] { slice.noteFailure(IOError(errnoCode: code, reason: "")) }
            slice.noteFailure(ChannelError.ioOnClosedChannel)
            #expect(!failure.isSet)
            slice.noteFailure(IOError(errnoCode: EIO, reason: ""))
            #expect(failure.isSet)
        }
    }

    @Test("a piece without its first blocks has the checksums of the others")
    func dropping() {
        let piece = Piece(checksumming: ByteBuffer(bytes: (0..<150_000).map { UInt8(truncatingIfNeeded: $0 / 999) }))
        for blocks in 0...2 {
            let rest = piece.dropping(blocks * Piece.blockSize)
            #expect(rest.bytes.readableBytes == 150_000 - blocks * Piece.blockSize && rest.verify())
            #expect(rest.checksums == Array(piece.checksums[blocks...]))
        }
    }
}

import Core
import DirectTransport
import Foundation
import GRPCCore
import NIOCore
import Testing

@Suite("Frames of direct connections")
struct FrameTests {
    private static func metadata(_ random: SeededRandom) -> Metadata {
        var metadata = Metadata()
        for number in 0..<random.next(in: 0..<5) {
            if random.next(in: 0..<2) == 0 {
                metadata.addString(String(repeating: "ä", count: random.next(in: 0..<100)), forKey: "key-\(number)")
            } else {
                metadata.addBinary(bytes(random.next(in: 0..<300), random), forKey: "key-\(number)-bin")
            }
        }
        return metadata
    }

    private static func bytes(_ count: Int, _ random: SeededRandom) -> [UInt8] {
        (0..<count).map { _ in UInt8(random.next(in: 0..<256)) }
    }

    private static func frame(_ random: SeededRandom) -> DirectFrame {
        switch random.next(in: 0..<6) {
        case 0: .call(method: "service.v\(random.next(in: 0..<99))/Method", metadata: metadata(random))
        case 1, 2:
            .message(
                DirectBytes(
                    head: ByteBuffer(bytes: bytes(random.next(in: 0..<40), random)),
                    payload: ByteBuffer(bytes: bytes(random.next(in: 0..<3_000), random))))
        case 3: .end
        case 4: .metadata(metadata(random))
        default: .status(Status(code: .notFound, message: "nothing \(random.next(in: 0..<99))"), metadata(random))
        }
    }

    /// What can be compared.
    private static func text(_ frame: DirectFrame) -> String {
        switch frame {
        case .message(let message):
            "\(message.parts.head.readableBytesView.map { $0 }) \(message.parts.payload.readableBytesView.map { $0 })"
        default: "\(frame)"
        }
    }

    /// What a frame is on the wire.
    private static func encoded(_ frame: DirectFrame) -> [ByteBuffer] {
        frame.encoded().compactMap { if case .byteBuffer(let buffer) = $0 { buffer } else { nil } }
    }

    private static func decoded(_ bytes: [UInt8], limit: Int = 4_096) throws -> [DirectFrame] {
        var decoder = DirectDecoder(maximumMessageSize: limit)
        var buffer = ByteBuffer(bytes: bytes)
        var frames: [DirectFrame] = []
        while let frame = try decoder.next(from: &buffer) { frames.append(frame) }
        return frames
    }

    @Test("arrive as they were sent, wherever the network cuts them", arguments: 1...20 as ClosedRange<UInt64>)
    func cuts(seed: UInt64) throws {
        let random = SeededRandom(seed: seed)
        let frames = (0..<30).map { _ in Self.frame(random) }
        var stream = ByteBuffer()
        for frame in frames { for buffer in Self.encoded(frame) { stream.writeImmutableBuffer(buffer) } }
        var decoder = DirectDecoder(maximumMessageSize: 4_096)
        var arrived: [DirectFrame] = []
        while stream.readableBytes > 0 {
            let length = min(stream.readableBytes, random.next(in: 1..<random.next(in: 2..<2_000)))
            var part = stream.readSlice(length: length) ?? ByteBuffer()
            while let frame = try decoder.next(from: &part) { arrived.append(frame) }
            #expect(part.readableBytes == 0)
        }
        #expect(arrived.map(Self.text) == frames.map(Self.text), "seed \(seed)")
    }

    @Test("the bytes of a message keep their storage: only what describes them is written anew")
    func payload() throws {
        let payload = ByteBuffer(repeating: 7, count: 1_000)
        let buffers = Self.encoded(.message(DirectBytes(head: ByteBuffer(bytes: [1, 2]), payload: payload)))
        let address = { (buffer: ByteBuffer) in buffer.withUnsafeReadableBytes { $0.baseAddress } }
        #expect(buffers.count == 2 && buffers[0].readableBytes == DirectFrame.headerSize + 2)
        #expect(address(buffers[1]) == address(payload))
    }

    @Test("a message reads the same as one run of bytes, however it is parted")
    func joined() {
        for (head, payload) in [([], []), ([1, 2], []), ([], [3]), ([1, 2], [3, 4, 5])] as [([UInt8], [UInt8])] {
            var bytes = DirectBytes(head: ByteBuffer(bytes: head), payload: ByteBuffer(bytes: payload))
            #expect(bytes.count == head.count + payload.count)
            #expect(bytes.withUnsafeBytes { Array($0) } == head + payload)
            let mutable = bytes.withUnsafeMutableBytes { Array($0) }
            #expect(mutable == head + payload)
        }
    }

    @Test("arrive the same where what is read goes into a message's own buffer", arguments: 1...20 as ClosedRange<UInt64>)
    func lending(seed: UInt64) throws {
        let random = SeededRandom(seed: seed)
        let frames = (0..<20).map { number in
            number % 2 == 0
                ? Self.frame(random)
                : .message(
                    DirectBytes(
                        head: ByteBuffer(bytes: Self.bytes(random.next(in: 0..<40), random)),
                        payload: ByteBuffer(bytes: Self.bytes(random.next(in: 0..<100_000), random))))
        }
        var stream = ByteBuffer()
        for frame in frames { for buffer in Self.encoded(frame) { stream.writeImmutableBuffer(buffer) } }
        var decoder = DirectDecoder(maximumMessageSize: 200_000)
        var arrived: [DirectFrame] = []
        var lent = 0
        while stream.readableBytes > 0 {
            var unread: ByteBuffer
            if var room = decoder.lend() {
                lent += 1
                let address = room.withUnsafeReadableBytes { $0.baseAddress }
                let length = min(stream.readableBytes, room.writableBytes, random.next(in: 1..<60_000))
                room.writeImmutableBuffer(stream.readSlice(length: length) ?? ByteBuffer())
                #expect(room.withUnsafeReadableBytes { $0.baseAddress } == address, "written where it was, for nobody else refers to it")
                unread = decoder.takeBack(room)
            } else {
                unread = stream.readSlice(length: min(stream.readableBytes, random.next(in: 1..<40_000))) ?? ByteBuffer()
            }
            while let frame = try decoder.next(from: &unread) { arrived.append(frame) }
            #expect(unread.readableBytes == 0)
        }
        #expect(arrived.map(Self.text) == frames.map(Self.text), "seed \(seed)")
        #expect(lent > 0)
    }

    @Test("a payload in a file is written from there, and is the same to whoever wants it in memory")
    func file() throws {
        let content = Self.bytes(100_000, SeededRandom(seed: 1))
        let url = FileManager.default.temporaryDirectory.appendingPathComponent("direct-\(UUID().uuidString)")
        try Data(content).write(to: url)
        defer { try? FileManager.default.removeItem(at: url) }
        let handle = try FileHandle(forReadingFrom: url)
        let slice = try #require(FileSlice(of: handle.fileDescriptor, offset: 1_000, byteCount: 90_000))
        try handle.close()
        let bytes = DirectBytes(head: ByteBuffer(bytes: [1, 2]), file: slice)
        #expect(bytes.count == 90_002)
        #expect(bytes.withUnsafeBytes { Array($0) } == [1, 2] + content[1_000..<91_000])
        let parts = DirectFrame.message(bytes).encoded()
        guard case .fileRegion(let region)? = parts.last else {
            Issue.record("not from the file")
            return
        }
        #expect(parts.count == 2 && region.readerIndex == 1_000 && region.readableBytes == 90_000)
        #expect(Self.encoded(.message(bytes))[0].readableBytes == DirectFrame.headerSize + 2)
    }

    enum Fault: CaseIterable { case kind, reserved, message, control, head, headOfControl, metadataCut, binaryKey, code, rest }

    private static func bytes(_ fault: Fault) -> [UInt8] {
        switch fault {
        case .kind: [9, 0, 0, 0, 0, 0, 0, 0]
        case .reserved: [3, 1, 0, 0, 0, 0, 0, 0]
        // One byte more than 4,096, and than 64 KiB.
        case .message: [2, 0, 0, 0, 1, 16, 0, 0]
        case .control: [4, 0, 0, 0, 1, 0, 1, 0]
        case .head: [2, 0, 5, 0, 4, 0, 0, 0, 1, 2, 3, 4]
        case .headOfControl: [4, 0, 1, 0, 2, 0, 0, 0, 0, 0]
        case .metadataCut: [4, 0, 0, 0, 2, 0, 0, 0, 1, 0]
        case .binaryKey: [4, 0, 0, 0, 10, 0, 0, 0, 1, 0, 1, 1, 0, 107, 0, 0, 0, 0]
        case .code: [5, 0, 0, 0, 5, 0, 0, 0, 99, 0, 0, 0, 0]
        case .rest: [3, 0, 0, 0, 1, 0, 0, 0, 0]
        }
    }

    @Test("what does not follow the protocol, or is too large, is refused before it is stored", arguments: Fault.allCases)
    func faults(fault: Fault) {
        #expect(throws: DirectFrame.Malformed.self) { try Self.decoded(Self.bytes(fault)) }
    }

    @Test("the largest message, and one without bytes, are taken")
    func limits() throws {
        let frames = try Self.decoded([2, 0, 0, 0, 0, 0, 0, 0] + [2, 0, 0, 0, 0, 16, 0, 0] + [UInt8](repeating: 1, count: 4_096))
        let sizes = frames.map { if case .message(let message) = $0 { message.count } else { -1 } }
        #expect(sizes == [0, 4_096])
    }
}

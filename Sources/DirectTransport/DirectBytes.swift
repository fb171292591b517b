public import Core
public import GRPCCore
public import NIOCore

/// Bytes of a message that a transport keeps in two parts, so that a serializer need not copy a large payload behind the few bytes that
/// describe it, nor a deserializer out from behind them.
public protocol GatheredBytes: GRPCContiguousBytes {
    /// A message that begins with `head`, at most 65,535 bytes, and goes on with `payload`.
    init(head: ByteBuffer, payload: ByteBuffer)
    /// A message whose payload is sent from the file that it is in.
    init(head: ByteBuffer, file: FileSlice)
    /// The parts that the message was made of, on whichever side.
    var parts: (head: ByteBuffer, payload: ByteBuffer) { get }
}

/// The bytes of a message on a direct connection.
public struct DirectBytes: GatheredBytes, Sendable {
    fileprivate(set) var head: ByteBuffer
    private var payload: ByteBuffer
    /// Has the payload instead.
    private(set) var file: FileSlice?

    public init(head: ByteBuffer, payload: ByteBuffer) {
        self.head = head
        self.payload = payload
    }

    public init(head: ByteBuffer, file: FileSlice) {
        self.head = head
        payload = ByteBuffer()
        self.file = file
    }

    public init(repeating byte: UInt8, count: Int) { self.init(head: ByteBuffer(), payload: ByteBuffer(repeating: byte, count: count)) }

    public init(_ sequence: some Sequence<UInt8>) { self.init(head: ByteBuffer(), payload: ByteBuffer(bytes: sequence)) }

    public var parts: (head: ByteBuffer, payload: ByteBuffer) { (head, loaded) }

    public var count: Int { head.readableBytes + (file?.byteCount ?? payload.readableBytes) }

    public func withUnsafeBytes<R>(_ body: (UnsafeRawBufferPointer) throws -> R) rethrows -> R {
        try joined.withUnsafeReadableBytes(body)
    }

    public mutating func withUnsafeMutableBytes<R>(_ body: (UnsafeMutableRawBufferPointer) throws -> R) rethrows -> R {
        payload = joined
        head = ByteBuffer()
        file = nil
        return try payload.withUnsafeMutableReadableBytes(body)
    }

    /// The payload in memory. What cannot be read is zeros, which its checksums tell.
    private var loaded: ByteBuffer {
        guard let file else { return payload }
        return (try? file.read()) ?? ByteBuffer(repeating: 0, count: file.byteCount)
    }

    /// Copied only where both parts have bytes.
    private var joined: ByteBuffer {
        let payload = loaded
        guard head.readableBytes > 0 else { return payload }
        guard payload.readableBytes > 0 else { return head }
        var whole = ByteBufferAllocator().buffer(capacity: count)
        whole.writeImmutableBuffer(head)
        whole.writeImmutableBuffer(payload)
        return whole
    }
}

/// Everything that bounds what a client can make the HTTP edge hold or wait for. Units are in the names or types.
public struct HTTPLimits: Sendable {
    /// Bytes of one header field, name and value; also of the request line's target. More is answered with 431.
    public var headerFieldBytes = 16 * 1024
    /// Bytes of all header fields of a request, its target included. More is answered with 431.
    public var headerBytes = 64 * 1024
    /// Header fields of a request. More is answered with 431.
    public var headerFieldCount = 100

    /// Whether a request that expects something other than `100-continue` is answered with 417. If not, what it expects counts for nothing.
    public var refusesUnknownExpectations = true

    /// From the first byte of a request to the end of its head. Longer is answered with 408.
    public var headerTime: Duration = .seconds(15)
    /// How long a connection may stay open without a request.
    public var idleTime: Duration = .seconds(60)
    /// How long a client may send nothing while its body is awaited, before the request fails with 408. The time in which
    /// the store is too busy to take more does not count.
    public var bodyStallTime: Duration = .seconds(60)
    /// How long a client may take no byte of its response before the connection is cut.
    public var responseStallTime: Duration = .seconds(60)

    /// After a response that ends the connection: how long, and for how many bytes, what the client still sends is read and
    /// thrown away. Closing at once would let the operating system reset the connection, and the response be lost with it.
    public var lingerTime: Duration = .seconds(5)
    public var lingerBytes = 16 * 1024 * 1024

    /// Open connections. Those beyond it are answered with 503 and closed.
    public var connections = 8_192
    /// Requests being worked on. Those beyond it are answered with 503.
    public var requestsInFlight = 1_024
    /// How long a shutdown waits for requests in flight before it cuts their connections.
    public var shutdownTime: Duration = .seconds(30)

    /// Bytes of a request body buffered for a handler that is slower than the client. One read more can be added to it.
    public var bodyBufferBytes = 256 * 1024
    /// The largest read from a socket, in bytes. Small requests are read in small buffers.
    public var readBytes = 256 * 1024
    /// Bytes of a response that may wait for the client before its producer has to; one piece more can be added to it.
    public var responseBufferBytes = 256 * 1024

    public init() {}
}

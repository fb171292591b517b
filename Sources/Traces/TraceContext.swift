public import Tracing

/// Where in a trace something happens, as W3C Trace Context has it: what a `traceparent` header says.
public struct TraceContext: Hashable, Sendable {
    /// The trace's name; not zero.
    public let traceID: TraceID
    /// The span's name; not 0.
    public let spanID: UInt64
    /// Whether somebody keeps the trace.
    public let isSampled: Bool
    /// What `tracestate` said: other vendors' own, handed on as it came.
    public let state: String?

    public struct TraceID: Hashable, Sendable {
        public let high: UInt64
        public let low: UInt64

        public init(high: UInt64, low: UInt64) {
            self.high = high
            self.low = low
        }

        /// 32 hexadecimal digits.
        public var text: String { padded(high) + padded(low) }
    }

    public init(traceID: TraceID, spanID: UInt64, isSampled: Bool, state: String? = nil) {
        self.traceID = traceID
        self.spanID = spanID
        self.isSampled = isSampled
        self.state = state
    }

    /// 16 hexadecimal digits.
    public var spanText: String { padded(spanID) }

    /// Bytes of a `tracestate` that are handed on; a longer one is dropped, as the standard allows.
    private static let longestState = 512

    // MARK: traceparent

    /// For the header `traceparent`.
    public var parentText: String { "00-\(traceID.text)-\(spanText)-0\(isSampled ? 1 : 0)" }

    /// - Parameters:
    ///   - parent: of the header `traceparent`.
    ///   - state: of the header `tracestate`.
    /// - Returns: nil for what does not follow the standard: it is to be ignored.
    public init?(parent: String, state: String? = nil) {
        let parts = parent.utf8.split(separator: UInt8(ascii: "-"), omittingEmptySubsequences: false)
        guard parts.count >= 4, parent.utf8.count <= 128, let version = hexadecimal(parts[0], digits: 2), version != 0xFF,
            // A later version may have more at its end.
            version > 0 || parts.count == 4,
            parts[1].count == 32, let high = hexadecimal(parts[1].prefix(16), digits: 16),
            let low = hexadecimal(parts[1].suffix(16), digits: 16), high | low != 0,
            let span = hexadecimal(parts[2], digits: 16), span != 0, let flags = hexadecimal(parts[3], digits: 2)
        else { return nil }
        let isHandedOn = state.map { (1...Self.longestState).contains($0.utf8.count) && $0.utf8.allSatisfy { (0x20...0x7E).contains($0) } }
        self.init(
            traceID: TraceID(high: high, low: low), spanID: span, isSampled: flags & 1 == 1, state: isHandedOn == true ? state : nil)
    }
}

/// 16 lower-case digits.
private func padded(_ number: UInt64) -> String {
    let digits = String(number, radix: 16)
    return String(repeating: "0", count: 16 - digits.count) + digits
}

/// - Returns: nil unless there are exactly so many digits, in lower case.
private func hexadecimal(_ text: some Collection<UInt8>, digits: Int) -> UInt64? {
    guard text.count == digits else { return nil }
    var number: UInt64 = 0
    for byte in text {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): number = number << 4 | UInt64(byte - UInt8(ascii: "0"))
        case UInt8(ascii: "a")...UInt8(ascii: "f"): number = number << 4 | UInt64(byte - UInt8(ascii: "a") + 10)
        default: return nil
        }
    }
    return number
}

extension InstrumentationContext {
    private enum Key: InstrumentationContextKey {
        typealias Value = TraceContext
        static var nameOverride: String? { "chunkflow-trace" }
    }

    /// The trace that what happens in this context belongs to; nil for none.
    public var trace: TraceContext? {
        get { self[Key.self] }
        set { self[Key.self] = newValue }
    }
}

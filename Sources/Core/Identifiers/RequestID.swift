/// Names of clients' requests, which stand in the log, in answers and in the calls between servers.
public enum RequestID {
    /// Bytes.
    public static let maximumLength = 64

    /// Whether a name that comes from outside may be used: it can neither end a line nor drive a terminal, nor fill either.
    public static func isAcceptable(_ text: String) -> Bool {
        (1...maximumLength).contains(text.utf8.count)
            && text.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "0")...UInt8(ascii: "9"),
                    UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "-"):
                    true
                default: false
                }
            }
    }
}

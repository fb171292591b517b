internal import Core
internal import HTTPEdge

/// The moment at which a request says that it was signed.
struct SigningTime: Equatable {
    let timestamp: Timestamp
    /// As it is signed: `20260102T030405Z`.
    let text: String

    /// - Parameter text: `20260102T030405Z`
    init?(compact text: String) {
        let bytes = Array(text.utf8)
        guard bytes.count == 16, bytes[8] == UInt8(ascii: "T"), bytes[15] == UInt8(ascii: "Z"),
            (bytes[..<8] + bytes[9..<15]).allSatisfy({ (0x30...0x39).contains($0) })
        else { return nil }
        func number(_ range: Range<Int>) -> Int { bytes[range].reduce(0) { $0 * 10 + Int($1 - 0x30) } }
        guard (1...12).contains(number(4..<6)), (1...31).contains(number(6..<8)) else { return nil }
        let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
        let http =
            "Mon, \(text.dropFirst(6).prefix(2)) \(months[number(4..<6) - 1]) \(text.prefix(4)) "
            + "\(text.dropFirst(9).prefix(2)):\(text.dropFirst(11).prefix(2)):\(text.dropFirst(13).prefix(2)) GMT"
        guard let timestamp = CalendarDate.timestamp(httpText: http) else { return nil }
        self.timestamp = timestamp
        self.text = text
    }

    /// - Parameter text: a date as the field `Date` has it, or as e-mails have it: some clients write the zone as an offset of nothing.
    init?(http text: String) {
        var text = text
        if text.hasSuffix(" -0000") || text.hasSuffix(" +0000") { text = text.dropLast(5) + "GMT" }
        guard let timestamp = CalendarDate.timestamp(httpText: text) else { return nil }
        self.timestamp = timestamp
        self.text = CalendarDate(timestamp).compactText
    }

    /// The day: `20260102`.
    var date: String { String(text.prefix(8)) }

    /// How far it is from `other`, in milliseconds, whichever is the later.
    func distance(to other: Timestamp) -> Int64 { abs(timestamp.millisecondsSince1970 - other.millisecondsSince1970) }
}

public import Core

/// A moment in the proleptic Gregorian calendar, in UTC, and the two ways in which the API writes it.
public struct CalendarDate: Hashable, Sendable {
    public let year: Int
    /// 1...12
    public let month: Int
    /// 1...31
    public let day: Int
    public let hour: Int
    public let minute: Int
    public let second: Int
    public let millisecond: Int
    /// 0 is Sunday.
    public let weekday: Int

    /// Days to date after Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms".
    public init(_ time: Timestamp) {
        let (days, inDay) = Self.floorDivide(time.millisecondsSince1970, by: 86_400_000)
        let shifted = days + 719_468
        let (era, dayOfEra) = Self.floorDivide(shifted, by: 146_097)
        let yearOfEra = (dayOfEra - dayOfEra / 1_460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shiftedMonth = (5 * dayOfYear + 2) / 153
        day = Int(dayOfYear - (153 * shiftedMonth + 2) / 5 + 1)
        month = Int(shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9)
        year = Int(yearOfEra + era * 400) + (month <= 2 ? 1 : 0)
        hour = Int(inDay / 3_600_000)
        minute = Int(inDay / 60_000 % 60)
        second = Int(inDay / 1_000 % 60)
        millisecond = Int(inDay % 1_000)
        weekday = Int(Self.floorDivide(days + 4, by: 7).remainder)
    }

    /// RFC 3339 with milliseconds: `2026-01-02T03:04:05.678Z`.
    public var internetText: String {
        var text: [UInt8] = []
        text.reserveCapacity(24)
        Self.append(year, 4, then: "-", to: &text)
        Self.append(month, 2, then: "-", to: &text)
        Self.append(day, 2, then: "T", to: &text)
        appendClock(then: ".", to: &text)
        Self.append(millisecond, 3, then: "Z", to: &text)
        return String(decoding: text, as: UTF8.self)
    }

    /// RFC 9110 5.6.7, IMF-fixdate: `Fri, 02 Jan 2026 03:04:05 GMT`.
    public var httpText: String {
        var text: [UInt8] = []
        text.reserveCapacity(29)
        text.append(contentsOf: Self.weekdays[weekday].utf8)
        text.append(contentsOf: ", ".utf8)
        Self.append(day, 2, then: " ", to: &text)
        text.append(contentsOf: Self.months[month - 1].utf8)
        text.append(UInt8(ascii: " "))
        Self.append(year, 4, then: " ", to: &text)
        appendClock(then: " ", to: &text)
        text.append(contentsOf: "GMT".utf8)
        return String(decoding: text, as: UTF8.self)
    }

    /// ISO 8601 for names of files, to the second: `20260102T030405Z`.
    public var compactText: String {
        "\(Self.padded(year, 4))\(Self.padded(month, 2))\(Self.padded(day, 2))T\(clockText.filter { $0 != ":" })Z"
    }

    private var clockText: String { "\(Self.padded(hour, 2)):\(Self.padded(minute, 2)):\(Self.padded(second, 2))" }

    /// Reads the date forms that RFC 9110 5.6.7 has: IMF-fixdate, RFC 850's and asctime's.
    /// - Returns: nil for anything else.
    public static func timestamp(httpText text: String) -> Timestamp? {
        let words = text.split(separator: " ")
        let parts: (day: Substring, month: Substring, year: Substring, clock: Substring)
        if words.count == 6, words[0].hasSuffix(","), words[5] == "GMT" {
            parts = (words[1], words[2], words[3], words[4])
        } else if words.count == 4, words[0].hasSuffix(","), words[3] == "GMT" {
            let date = words[1].split(separator: "-")
            guard date.count == 3, date[2].count == 2, let short = Int(date[2]) else { return nil }
            parts = (date[0], date[1], short < 70 ? "20\(date[2])" : "19\(date[2])", words[2])
        } else if words.count == 5 {
            parts = (words[2], words[1], words[4], words[3])
        } else {
            return nil
        }
        let clock = parts.clock.split(separator: ":").compactMap { Int($0) }
        guard let day = Int(parts.day), (1...31).contains(day), let month = months.firstIndex(of: String(parts.month)),
            let year = Int(parts.year), (1970...9999).contains(year), clock.count == 3, (0...23).contains(clock[0]),
            (0...59).contains(clock[1]), (0...60).contains(clock[2])
        else { return nil }
        let seconds = (clock[0] * 60 + clock[1]) * 60 + clock[2]
        return Timestamp(millisecondsSince1970: (days(year: year, month: month + 1, day: day) * 86_400 + Int64(seconds)) * 1_000)
    }

    /// Reads the form of RFC 3339: `2026-01-02T03:04:05Z`, with a fraction of a second or an offset where there is one. What is finer than
    /// a millisecond is cut off.
    /// - Returns: nil for anything else.
    public static func timestamp(internetText text: String) -> Timestamp? {
        let bytes = Array(text.utf8)
        func number(_ range: Range<Int>) -> Int? {
            guard range.upperBound <= bytes.count, bytes[range].allSatisfy({ (0x30...0x39).contains($0) }) else { return nil }
            return bytes[range].reduce(0) { $0 * 10 + Int($1 - 0x30) }
        }
        func has(_ character: Unicode.Scalar, at index: Int) -> Bool { index < bytes.count && bytes[index] == UInt8(ascii: character) }
        guard let year = number(0..<4), year >= 1970, has("-", at: 4), let month = number(5..<7), (1...12).contains(month), has("-", at: 7),
            let day = number(8..<10), (1...31).contains(day), has("T", at: 10), let hour = number(11..<13), (0...23).contains(hour),
            has(":", at: 13), let minute = number(14..<16), (0...59).contains(minute), has(":", at: 16), let second = number(17..<19),
            (0...60).contains(second)
        else { return nil }
        var position = 19
        var milliseconds = 0
        if has(".", at: position) {
            let digits = bytes[(position + 1)...].prefix { (0x30...0x39).contains($0) }
            guard !digits.isEmpty else { return nil }
            milliseconds = (Array(digits.prefix(3)) + [0x30, 0x30]).prefix(3).reduce(0) { $0 * 10 + Int($1 - 0x30) }
            position += 1 + digits.count
        }
        var offset = 0
        if has("Z", at: position) {
            guard position + 1 == bytes.count else { return nil }
        } else {
            guard has("+", at: position) || has("-", at: position), let hours = number(position + 1..<position + 3),
                (0...23).contains(hours), has(":", at: position + 3), let minutes = number(position + 4..<position + 6),
                (0...59).contains(minutes), position + 6 == bytes.count
            else { return nil }
            offset = (hours * 60 + minutes) * (bytes[position] == UInt8(ascii: "-") ? -60 : 60)
        }
        let seconds = days(year: year, month: month, day: day) * 86_400 + Int64((hour * 60 + minute) * 60 + second - offset)
        return Timestamp(millisecondsSince1970: seconds * 1_000 + Int64(milliseconds))
    }

    /// Days since 1970-01-01.
    private static func days(year: Int, month: Int, day: Int) -> Int64 {
        let shiftedYear = Int64(month <= 2 ? year - 1 : year)
        let (era, yearOfEra) = floorDivide(shiftedYear, by: 400)
        let dayOfYear = Int64((153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1)
        return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
    }

    private static func floorDivide(_ value: Int64, by divisor: Int64) -> (quotient: Int64, remainder: Int64) {
        let remainder = ((value % divisor) + divisor) % divisor
        return ((value - remainder) / divisor, remainder)
    }

    private func appendClock(then mark: Unicode.Scalar, to text: inout [UInt8]) {
        Self.append(hour, 2, then: ":", to: &text)
        Self.append(minute, 2, then: ":", to: &text)
        Self.append(second, 2, then: mark, to: &text)
    }

    /// A date stands in every line of a log and a thousand times in a listing: digit by digit, without strings in between.
    private static func append(_ value: Int, _ width: Int, then mark: Unicode.Scalar, to text: inout [UInt8]) {
        var unit = (1..<width).reduce(1) { unit, _ in unit * 10 }
        while unit * 10 <= value { unit *= 10 }
        while unit > 0 {
            text.append(UInt8(ascii: "0") + UInt8(value / unit % 10))
            unit /= 10
        }
        text.append(UInt8(ascii: mark))
    }

    private static func padded(_ value: Int, _ width: Int) -> String {
        let digits = String(value)
        return String(repeating: "0", count: max(0, width - digits.count)) + digits
    }

    private static let weekdays = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"]
    private static let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
}

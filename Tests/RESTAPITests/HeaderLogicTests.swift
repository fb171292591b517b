import Core
import HTTPEdge
import NIOHTTP1
import RESTAPI
import Testing

@Suite("Ranges, conditions, names and dates")
struct HeaderLogicTests {
    @Test(
        "a range field asks for",
        arguments: [
            (nil, 10, ByteRange.whole),
            ("bytes=0-4", 10, .part(0..<5)),
            ("bytes=9-9", 10, .part(9..<10)),
            ("bytes=5-", 10, .part(5..<10)),
            ("bytes=5-99", 10, .part(5..<10)),
            ("bytes=5-99999999999999999999999", 10, .part(5..<10)),
            ("Bytes=-3", 10, .part(7..<10)),
            ("bytes=-30", 10, .part(0..<10)),
            ("bytes= 1-2 ", 10, .part(1..<3)),
            ("bytes=10-", 10, .unsatisfiable),
            ("bytes=10-12", 10, .unsatisfiable),
            ("bytes=99999999999999999999999-", 10, .unsatisfiable),
            ("bytes=-0", 10, .unsatisfiable),
            ("bytes=0-0", 0, .unsatisfiable),
            ("bytes=-1", 0, .unsatisfiable),
            ("bytes=4-2", 10, .whole),
            ("bytes=-", 10, .whole),
            ("bytes=0-1,3-4", 10, .whole),
            ("bytes=a-b", 10, .whole),
            ("bytes=+1-2", 10, .whole),
            ("bytes=1-2-3", 10, .whole),
            ("bytes 1-2", 10, .whole),
            ("lines=1-2", 10, .whole),
            ("", 10, .whole),
        ] as [(String?, Int64, ByteRange)])
    func ranges(field: String?, size: Int64, expected: ByteRange) {
        #expect(ByteRange(field: field, size: size) == expected)
    }

    @Test("a range lies within the file, whatever was asked for", arguments: 0..<200 as Range<UInt64>)
    func rangeBounds(seed: UInt64) {
        let random = SeededRandom(seed: seed)
        let size = Int64(random.next(in: 0..<20))
        let text =
            "bytes=" + (random.next(in: 0..<4) == 0 ? "" : "\(random.next(in: 0..<25))") + "-"
            + (random.next(in: 0..<4) == 0 ? "" : "\(random.next(in: 0..<25))")
        if case .part(let range) = ByteRange(field: text, size: size) {
            #expect(!range.isEmpty && range.lowerBound >= 0 && range.upperBound <= size, "seed \(seed): \(text) of \(size)")
        }
    }

    /// Fri, 02 Jan 2026 03:04:05.678 GMT
    static let modified = Timestamp(millisecondsSince1970: 1_767_323_045_678)
    static let same = "Fri, 02 Jan 2026 03:04:05 GMT"
    static let before = "Fri, 02 Jan 2026 03:04:04 GMT"
    static let after = "Friday, 02-Jan-26 03:04:06 GMT"

    @Test(
        "conditions decide",
        arguments: [
            ([], Preconditions.Outcome.proceed),
            ([("If-None-Match", "\"e\"")], .notModified),
            ([("If-None-Match", "W/\"e\"")], .notModified),
            ([("If-None-Match", "\"x\", W/\"y\" ,\"e\"")], .notModified),
            ([("If-None-Match", "*")], .notModified),
            ([("If-None-Match", "\"x\"")], .proceed),
            ([("If-None-Match", "e")], .proceed),
            ([("If-None-Match", "\"x\""), ("If-Modified-Since", after)], .proceed),
            ([("If-Modified-Since", same)], .notModified),
            ([("If-Modified-Since", after)], .notModified),
            ([("If-Modified-Since", before)], .proceed),
            ([("If-Modified-Since", "yesterday")], .proceed),
            ([("If-Match", "\"e\"")], .proceed),
            ([("If-Match", "*")], .proceed),
            ([("If-Match", "W/\"e\"")], .failed),
            ([("If-Match", "\"x\"")], .failed),
            ([("If-Match", "\"x\""), ("If-None-Match", "\"e\"")], .failed),
            ([("If-Unmodified-Since", same)], .proceed),
            ([("If-Unmodified-Since", before)], .failed),
            ([("If-Match", "\"e\""), ("If-Unmodified-Since", before)], .proceed),
        ] as [([(String, String)], Preconditions.Outcome)])
    func conditions(fields: [(String, String)], expected: Preconditions.Outcome) {
        #expect(Preconditions(etag: "e", lastModified: Self.modified).evaluate(HTTPHeaders(fields)) == expected)
    }

    @Test(
        "If-Range honours only the very same file",
        arguments: [
            (nil, true), ("\"e\"", true), ("\"x\"", false), ("W/\"e\"", false), (same, true), (before, false), (after, false), ("e", false),
        ] as [(String?, Bool)])
    func ifRange(value: String?, expected: Bool) {
        var headers = HTTPHeaders()
        if let value { headers.add(name: "If-Range", value: value) }
        #expect(Preconditions(etag: "e", lastModified: Self.modified).honoursRange(headers) == expected)
    }

    @Test(
        "a disposition is safe, whatever the name",
        arguments: [
            (nil, "attachment"),
            ("a.txt", "attachment; filename=\"a.txt\""),
            ("with space;x=y.txt", "attachment; filename=\"with space;x=y.txt\""),
            ("a\"b\\c.txt", "attachment; filename=\"a_b_c.txt\"; filename*=UTF-8''a%22b%5Cc.txt"),
            ("naïve.txt", "attachment; filename=\"na_ve.txt\"; filename*=UTF-8''na%C3%AFve.txt"),
            ("100%.txt", "attachment; filename=\"100_.txt\"; filename*=UTF-8''100%25.txt"),
            ("a\r\nSet-Cookie: x", "attachment; filename=\"a__Set-Cookie: x\"; filename*=UTF-8''a%0D%0ASet-Cookie%3A%20x"),
        ] as [(String?, String)])
    func disposition(name: String?, expected: String) {
        #expect(ContentDisposition.attachment(fileName: name) == expected)
    }

    @Test(
        "of a name its last component is kept",
        arguments: [
            ("../../etc/passwd", "passwd"), (#"C:\folder\x.txt"#, "x.txt"), ("/", nil), ("..", nil), (".", nil), ("", nil), ("  ", nil),
            ("a\u{0}b\nc\u{2028}d", "abcd"), (" padded ", "padded"), (".hidden", ".hidden"),
        ] as [(String, String?)])
    func names(name: String, expected: String?) {
        #expect(FileName.kept(of: name) == expected)
    }

    @Test("dates are written and read as HTTP has them")
    func dates() {
        #expect(CalendarDate(Self.modified).httpText == Self.same)
        #expect(CalendarDate(Self.modified).internetText == "2026-01-02T03:04:05.678Z")
        let seconds = Timestamp(millisecondsSince1970: 1_767_323_045_000)
        for text in [Self.same, "Friday, 02-Jan-26 03:04:05 GMT", "Fri Jan  2 03:04:05 2026"] {
            #expect(CalendarDate.timestamp(httpText: text) == seconds)
        }
        for text in ["", "Fri, 02 Jan 2026 03:04:05 CET", "Fri, 02 Foo 2026 03:04:05 GMT", "Fri, 32 Jan 2026 03:04:05 GMT", "1 2 3 4 5"] {
            #expect(CalendarDate.timestamp(httpText: text) == nil)
        }
    }

    @Test(
        "dates of RFC 3339 are read, with a fraction or an offset where there is one",
        arguments: [
            ("2026-01-02T03:04:05Z", 1_767_323_045_000), ("2026-01-02T03:04:05.678Z", 1_767_323_045_678),
            ("2026-01-02T03:04:05.6789999Z", 1_767_323_045_678), ("2026-01-02T03:04:05.6Z", 1_767_323_045_600),
            ("2026-01-02T04:34:05+01:30", 1_767_323_045_000), ("2026-01-01T22:04:05-05:00", 1_767_323_045_000),
            ("2026-01-02 03:04:05Z", nil), ("2026-01-02T03:04:05", nil), ("2026-01-02T03:04:05.Z", nil), ("2026-13-02T03:04:05Z", nil),
            ("2026-01-02T03:04:05Zx", nil), ("2026-01-02T03:04:05+0100", nil), ("2026-01-02", nil), ("1969-01-02T03:04:05Z", nil),
            ("2026-01-02T03:04:0", nil), ("", nil), ("2026-01-02T03:04:05+01:00 ", nil),
        ] as [(String, Int64?)])
    func internetDates(text: String, milliseconds: Int64?) {
        #expect(CalendarDate.timestamp(internetText: text)?.millisecondsSince1970 == milliseconds, "\(text)")
    }

    @Test("every day reads back as it was written", arguments: 0..<50 as Range<UInt64>)
    func dateRoundTrip(seed: UInt64) {
        let random = SeededRandom(seed: seed)
        let time = Timestamp(millisecondsSince1970: Int64(random.next(in: 0..<4_000_000_000)) * 1_000)
        #expect(CalendarDate.timestamp(httpText: CalendarDate(time).httpText) == time, "seed \(seed)")
        #expect(CalendarDate.timestamp(internetText: CalendarDate(time).internetText) == time, "seed \(seed)")
    }

    @Test(
        "leap days and turns of the year fall right",
        arguments: [
            (951_782_400_000, "2000-02-29T00:00:00.000Z", "Tue, 29 Feb 2000 00:00:00 GMT"),
            (0, "1970-01-01T00:00:00.000Z", "Thu, 01 Jan 1970 00:00:00 GMT"),
            (4_107_542_399_999, "2100-02-28T23:59:59.999Z", "Sun, 28 Feb 2100 23:59:59 GMT"),
            (4_107_542_400_000, "2100-03-01T00:00:00.000Z", "Mon, 01 Mar 2100 00:00:00 GMT"),
            (-1, "1969-12-31T23:59:59.999Z", "Wed, 31 Dec 1969 23:59:59 GMT"),
        ] as [(Int64, String, String)])
    func knownDates(milliseconds: Int64, internet: String, http: String) {
        let date = CalendarDate(Timestamp(millisecondsSince1970: milliseconds))
        #expect(date.internetText == internet)
        #expect(date.httpText == http)
    }

    @Test("what goes into a log line cannot begin another")
    func logTexts() {
        #expect(logText("a\r\nb\u{1B}[31m\u{2028}\\") == #"a\u{d}\u{a}b\u{1b}[31m\u{2028}\\"#)
        #expect(logText(String(repeating: "x", count: 500)) == String(repeating: "x", count: 256) + "...")
    }

    @Test("a request target keeps what was sent and shows its parts")
    func targets() throws {
        let target = RequestTarget("/a//b%2Fc/?x=1&name=a+b%C3%AF&name=2&flag")
        #expect(target.raw == "/a//b%2Fc/?x=1&name=a+b%C3%AF&name=2&flag")
        #expect(target.path == "/a//b%2Fc/")
        #expect(target.segments == ["a", "", "b/c", ""])
        #expect(try target.queryValue("name") == "a bï")
        #expect(try target.queryValue("flag") == "")
        #expect(try target.queryValue("none") == nil)
        #expect(RequestTarget("http://host:80/p?q=http://x").path == "/p")
        #expect(RequestTarget("http://host?q").path == "/")
        #expect(RequestTarget("*").segments == nil)
        #expect(RequestTarget("/%zz").segments == nil)
        #expect(RequestTarget("/%ff").segments == nil)
    }
}

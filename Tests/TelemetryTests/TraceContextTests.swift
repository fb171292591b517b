import Testing
import Traces

@Suite("W3C Trace Context")
struct TraceContextTests {
    private static let good = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

    @Test("what a traceparent says is read, and written again as it was")
    func roundTrip() throws {
        let context = try #require(TraceContext(parent: Self.good, state: "vendor=1,other=x y"))
        #expect(context.traceID.text == "4bf92f3577b34da6a3ce929d0e0e4736")
        #expect(context.spanText == "00f067aa0ba902b7")
        #expect(context.isSampled)
        #expect(context.parentText == Self.good)
        #expect(context.state == "vendor=1,other=x y")
        #expect(TraceContext(parent: "\(Self.good.dropLast(2))00")?.isSampled == false)
    }

    @Test("later versions may have more at their end, and flags that nobody knows yet")
    func laterVersions() throws {
        let later = try #require(TraceContext(parent: "cc\(Self.good.dropFirst(2).dropLast(2))fb-what-comes"))
        #expect(later.isSampled && later.parentText == Self.good)
    }

    @Test(
        "what does not follow the standard is no trace",
        arguments: [
            "", "00", "ff\(good.dropFirst(2))", "\(good)-x", good.uppercased(), "\(good) ", " \(good)", "\(good.dropLast())",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01", "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-4bf92f3577b34da6a3ce929d0e0e473-00f067aa0ba902b77-01", "0g\(good.dropFirst(2))", good.replacing("-", with: "_"),
            "cc\(good.dropFirst(2))-\(String(repeating: "x", count: 500))",
        ] as [String])
    func malformed(text: String) { #expect(TraceContext(parent: text) == nil) }

    @Test("a tracestate that is too long or could break a header is left out, the trace stays", arguments: ["", "a\r\nb", "é"])
    func states(state: String) throws {
        for text in [state, String(repeating: "x", count: 513)] {
            #expect(try #require(TraceContext(parent: Self.good, state: text)).state == nil)
        }
    }
}

import Core
import Testing

@Suite struct HostPortTests {
    @Test(
        "host and port lead back to their text",
        arguments: [
            ("storage1:9001", "storage1", 9001), ("127.0.0.1:0", "127.0.0.1", 0), ("[::1]:8080", "::1", 8080),
            ("[fe80::1%eth0]:1", "fe80::1%eth0", 1),
            ("a:65535", "a", 65_535),
        ])
    func roundTrip(text: String, host: String, port: Int) {
        #expect(HostPort(text) == HostPort(host: host, port: port))
        #expect(HostPort(host: host, port: port).description == text)
    }

    @Test(
        "anything else is none",
        arguments: [
            "", ":", "host", "host:", ":1", "host:65536", "host:-1", "host:+1", "host:1x", "::1:80", "[host]:1", "[]:1", "host:000001",
            "a b:1",
            "a\0:1", "http://a:1", "a:1:2", "хост:1", "host: 1",
        ])
    func refused(text: String) { #expect(HostPort(text) == nil) }
}

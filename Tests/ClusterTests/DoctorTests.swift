import Core
import ServerAssembly
import Testing

@Suite("What the doctor makes of what it sees")
struct DoctorTests {
    private static let mounts = MountTable(
        """
        22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
        30 22 0:25 / /srv rw shared:7 master:2 - xfs /dev/sdb1 rw
        31 30 0:26 / /srv/my\\040disk rw - btrfs /dev/sdc1 rw
        32 22 0:27 / /dev/shm rw shared:3 - tmpfs tmpfs rw
        33 30 0:28 / /srv rw shared:8 - overlay overlay rw
        a line of something else
        """)

    @Test(
        "a path is on the file system that is mounted nearest above it, the last one where several are mounted at one point",
        arguments: [
            ("/", "ext4"), ("/home/x", "ext4"), ("/dev/shm/x", "tmpfs"), ("/dev/shmx", "ext4"), ("/srv", "overlay"),
            ("/srv/data", "overlay"),
            ("/srv/my disk/data", "btrfs"),
        ])
    func fileSystem(path: String, type: String) { #expect(Self.mounts.fileSystem(of: path) == type) }

    @Test("nothing is known without a table")
    func noTable() { #expect(MountTable("").fileSystem(of: "/srv") == nil) }

    private static let peer = HostPort(host: "peer", port: 8080)
    /// A whole second.
    private static let noon: Int64 = 1_700_000_000_000

    /// - Parameters: milliseconds after noon.
    private func clock(theirs: Int64, sent: Int64, received: Int64) -> Finding {
        func time(_ milliseconds: Int64) -> Timestamp { Timestamp(millisecondsSince1970: Self.noon + milliseconds) }
        return ClockExamination.finding(Self.peer, theirs: time(theirs), sent: time(sent), received: time(received))
    }

    @Test("what a date leaves open, and the time that the answer took, are no difference of clocks")
    func sameClock() {
        #expect(clock(theirs: 0, sent: 999, received: 999).severity == .ok)
        #expect(clock(theirs: 0, sent: 0, received: 0).severity == .ok)
        // The peer looked at its clock at some time of these ten seconds.
        #expect(clock(theirs: 10_000, sent: 0, received: 10_500).severity == .ok)
        #expect(clock(theirs: 0, sent: 0, received: 10_000).severity == .ok)
    }

    @Test("clocks that differ by seconds are a warning, by a minute a problem, whichever is ahead")
    func differentClocks() {
        let ahead = clock(theirs: -20_000, sent: 0, received: 5)
        #expect(ahead.severity == .warning && ahead.detail == "19 s ahead of peer:8080")
        let behind = clock(theirs: 20_000, sent: 0, received: 5)
        #expect(behind.severity == .warning && behind.detail == "19 s behind peer:8080")
        #expect(clock(theirs: 60_000, sent: 0, received: 5).severity == .warning)
        #expect(clock(theirs: 62_000, sent: 0, received: 1_999).severity == .problem)
        #expect(clock(theirs: -62_000, sent: 0, received: 5).severity == .problem)
        #expect(ahead.advice != nil && clock(theirs: 0, sent: 0, received: 0).advice == nil)
    }

    @Test("the limit that counts is the hard one where the server raises it")
    func openFiles() {
        let limit = OpenFilesLimit(soft: 1_024, hard: 65_536)
        #expect(OpenFilesExamination.finding(limit, raises: true, wanted: 5_000).severity == .ok)
        #expect(OpenFilesExamination.finding(limit, raises: false, wanted: 5_000).severity == .warning)
        #expect(OpenFilesExamination.finding(OpenFilesLimit(soft: 100, hard: 200), raises: true, wanted: 5_000).severity == .problem)
    }
}

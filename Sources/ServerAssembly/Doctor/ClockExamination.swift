package import Core
internal import HTTPEdge

#if os(Linux)
    internal import CLinux
#endif

/// Compares the clock of this machine with those of others.
package struct ClockExamination: Sendable {
    private static let subject = "clock"
    /// Apart by so much clocks are worth a word; by more, what was uploaded just now can look old.
    private static let (apart, farApart) = (Duration.seconds(3), Duration.seconds(60))
    private static let patience = Duration.seconds(5)
    private static let advice = "run a time service (chrony, systemd-timesyncd) on both machines"

    let time: any TimeSource
    let date: Doctor.DateQuestion

    /// One finding for each peer that answers; one in all when none does.
    func findings(_ peers: [HostPort]) async throws -> [Finding] {
        var findings: [Finding] = []
        for peer in Set(peers).sorted(by: { $0.description < $1.description }) {
            if let finding = try await finding(peer) { findings.append(finding) }
        }
        if findings.isEmpty { return [.ok(Self.subject, "not compared: no other server was named that answers over HTTP (--http-peer)")] }
        return findings
    }

    /// nil when the peer does not say what time it has.
    private func finding(_ peer: HostPort) async throws -> Finding? {
        let sent = time.now()
        let text: String
        do {
            text = try await withDeadline(Self.patience, time: time) { try await date(peer) }
        } catch is CancellationError {
            throw CancellationError()
        } catch {
            return nil
        }
        guard let theirs = CalendarDate.timestamp(httpText: text) else { return nil }
        return Self.finding(peer, theirs: theirs, sent: sent, received: time.now())
    }

    /// Pure.
    /// - Parameter theirs: to the second, rounded down.
    package static func finding(_ peer: HostPort, theirs: Timestamp, sent: Timestamp, received: Timestamp) -> Finding {
        // Somewhere between these two the peer looked at its clock; within the second that it named.
        let behind = sent.millisecondsSince1970 - theirs.millisecondsSince1970 - 999
        let ahead = theirs.millisecondsSince1970 - received.millisecondsSince1970
        let difference = Duration.milliseconds(max(0, behind, ahead))
        guard difference >= apart else { return .ok(subject, "agrees with \(peer)") }
        let seconds = difference.components.seconds
        let detail = "\(seconds) s \(behind > ahead ? "ahead of" : "behind") \(peer)"
        return difference < farApart
            ? .warning(subject, detail, do: advice)
            : .problem(subject, "\(detail): the age of files and leases is misjudged", do: advice)
    }

    /// What the kernel thinks of its clock; nil where it does not say.
    static func synchronisation() -> Finding? {
        #if os(Linux)
            var state = timex()
            guard adjtimex(&state) >= 0 else { return nil }
            return state.status & STA_UNSYNC == 0
                ? .ok(subject, "kept by a time service")
                : .warning(subject, "no time service keeps it, says the kernel", do: advice)
        #else
            return nil
        #endif
    }
}

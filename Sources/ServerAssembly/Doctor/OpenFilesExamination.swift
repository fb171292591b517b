internal import Foundation

/// How many files a process may have open.
package struct OpenFilesLimit: Hashable, Sendable {
    let soft: UInt64
    let hard: UInt64

    package init(soft: UInt64, hard: UInt64) {
        self.soft = soft
        self.hard = hard
    }

    static var ofThisProcess: OpenFilesLimit {
        var limit = rlimit()
        #if canImport(Darwin)
            let code = getrlimit(RLIMIT_NOFILE, &limit)
        #else
            let code = getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        #endif
        return code == 0 ? OpenFilesLimit(soft: UInt64(limit.rlim_cur), hard: UInt64(limit.rlim_max)) : OpenFilesLimit(soft: 0, hard: 0)
    }
}

/// Whether sockets and segments find enough file descriptors.
package enum OpenFilesExamination {
    private static let subject = "open files"
    /// With fewer a server can hardly start.
    private static let least: UInt64 = 256

    /// - Parameters:
    ///   - raises: whether the server raises its soft limit to the hard one.
    ///   - wanted: files that are open when the disk is full and clients are many.
    package static func finding(_ limit: OpenFilesLimit, raises: Bool, wanted: Int) -> Finding {
        let available = raises ? limit.hard : limit.soft
        let detail = "up to \(available), of which \(wanted) may be wanted"
        let advice = "raise it: LimitNOFILE=65536 of the service, or ulimit -n 65536 before the start"
        if available < least { return .problem(subject, detail, do: advice) }
        if available < UInt64(wanted) { return .warning(subject, detail, do: advice) }
        return .ok(subject, detail)
    }
}

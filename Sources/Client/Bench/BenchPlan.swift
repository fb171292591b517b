/// What a load test does.
package struct BenchPlan: Sendable {
    package enum Workload: String, Sendable, CaseIterable {
        /// Uploads.
        case put
        /// Downloads of files that were uploaded before, which is not measured.
        case get
        /// Uploads, then downloads of what was uploaded.
        case both
        /// Uploads and downloads at the same time, one of two by chance.
        case mixed
    }

    package enum Operation: String, Sendable, Hashable, CaseIterable {
        case put, get
    }

    /// When a part of the test ends.
    package enum End: Sendable {
        /// No operation begins after so long.
        case after(Duration)
        /// So many operations, failed ones included.
        case count(Int)
    }

    package let workload: Workload
    /// Bytes of each file.
    package let byteCount: Int64
    /// Operations at a time.
    package let concurrency: Int
    package let end: End
    /// Whether the bytes of downloads are checked, which takes the client some time.
    package let verifies: Bool

    package init(workload: Workload, byteCount: Int64, concurrency: Int, end: End, verifies: Bool) {
        precondition(byteCount >= 0 && concurrency > 0)
        self.workload = workload
        self.byteCount = byteCount
        self.concurrency = concurrency
        self.end = end
        self.verifies = verifies
    }

    /// The parts of the test, one after the other; in each an operation is one of these.
    var phases: [[Operation]] {
        switch workload {
        case .put: [[.put]]
        case .get: [[.get]]
        case .both: [[.put], [.get]]
        case .mixed: [[.put, .get]]
        }
    }
}

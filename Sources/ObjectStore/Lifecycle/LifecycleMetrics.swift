internal import CoreMetrics
internal import Metadata

/// What rules of buckets have come to. Made with the store, so that what has not happened yet is told as 0.
struct LifecycleMetrics: Sendable {
    private let latest = Self.expired("latest")
    private let noncurrent = Self.expired("noncurrent")
    private let loneMarkers = Self.expired("delete-marker")
    private let uploads = Self.expired("upload")

    func count(_ orders: [ExpiryOrder]) {
        for order in orders {
            switch order.kind {
            case .latest: latest.increment()
            case .noncurrent: noncurrent.increment()
            case .loneMarker: loneMarkers.increment()
            }
        }
    }

    func countUpload() { uploads.increment() }

    private static func expired(_ what: String) -> Counter {
        Counter(label: "chunkflow_lifecycle_expired_total", dimensions: [("what", what)])
    }
}

package import Core
package import Metadata

/// Goes through the versions of a bucket, as they are listed (keys in byte order, of each key the latest first), and says which of them
/// have had their time. Remembers no more than it must know of the key that it is at.
package struct LifecycleScan {
    /// What is to be done with a version.
    package struct Finding: Equatable {
        package let kind: ExpiryOrder.Kind
        package let key: String
        package let version: VersionID
    }

    private let rules: [LifecycleRule]
    private let day: LifecycleDay
    private let now: Timestamp

    private var key: String?
    /// When the version came that was listed last: since then the next one is not the latest any more.
    private var laterCreatedAt: Timestamp?
    /// Objects of the key that are not the latest version, so far.
    private var olderObjectCount = 0
    /// A delete marker that is the latest version: nothing else of its key has been listed yet.
    private var marker: DeleteMarker?

    package init(_ configuration: LifecycleConfiguration, day: LifecycleDay, now: Timestamp) {
        rules = configuration.rules.filter(\.isEnabled)
        self.day = day
        self.now = now
    }

    package mutating func take(_ listed: ListedVersion) -> [Finding] {
        var findings: [Finding] = []
        let version = listed.version
        if version.key == key {
            marker = nil
        } else {
            findings += end()
            key = version.key
            laterCreatedAt = nil
            olderObjectCount = 0
        }
        switch version {
        case .object(let object) where listed.isLatest:
            if isExpired(object) { findings.append(Finding(kind: .latest, key: object.key, version: object.version)) }
        case .object(let object):
            if isOutdated(object, since: laterCreatedAt) {
                findings.append(Finding(kind: .noncurrent, key: object.key, version: object.version))
            }
            olderObjectCount += 1
        case .deleteMarker(let found) where listed.isLatest: marker = found
        case .deleteMarker(let found):
            if isOutdated(found, since: laterCreatedAt) {
                findings.append(Finding(kind: .noncurrent, key: found.key, version: found.version))
            }
        }
        laterCreatedAt = version.createdAt
        return findings
    }

    /// No more versions are listed.
    package mutating func end() -> [Finding] {
        defer { marker = nil }
        guard let marker, isExpired(marker) else { return [] }
        return [Finding(kind: .loneMarker, key: marker.key, version: marker.version)]
    }

    // MARK: Rules

    private func isExpired(_ object: ObjectRecord) -> Bool {
        rules.contains { rule in
            guard let expiration = rule.expiration, rule.scope.matches(object) else { return false }
            return expiration.moment(from: object.createdAt, day: day) <= now
        }
    }

    /// Of a delete marker with nothing behind it: an expiration by age is about it too.
    private func isExpired(_ marker: DeleteMarker) -> Bool {
        rules.contains { rule in
            guard rule.scope.matchesWithoutContent(key: marker.key) else { return false }
            if rule.removesLoneMarkers == true { return true }
            return rule.expiration.map { $0.moment(from: marker.createdAt, day: day) <= now } ?? false
        }
    }

    private func isOutdated(_ object: ObjectRecord, since later: Timestamp?) -> Bool {
        rules.contains { $0.scope.matches(object) && isOutdated($0, since: later) }
    }

    private func isOutdated(_ marker: DeleteMarker, since later: Timestamp?) -> Bool {
        rules.contains { $0.scope.matchesWithoutContent(key: marker.key) && isOutdated($0, since: later) }
    }

    private func isOutdated(_ rule: LifecycleRule, since later: Timestamp?) -> Bool {
        guard let later, let noncurrent = rule.noncurrentExpiration, olderObjectCount >= noncurrent.kept ?? 0 else { return false }
        return day.end(of: noncurrent.days, from: later) <= now
    }

    /// Whether an upload that is still in progress has had its time.
    package func isOverdue(_ upload: UploadRecord) -> Bool {
        rules.contains { rule in
            guard let days = rule.abortsUploadsAfter, rule.scope.matchesWithoutContent(key: upload.key) else { return false }
            return day.end(of: days, from: upload.createdAt) <= now
        }
    }
}

extension ObjectVersion {
    fileprivate var createdAt: Timestamp {
        switch self {
        case .object(let object): object.createdAt
        case .deleteMarker(let marker): marker.createdAt
        }
    }
}

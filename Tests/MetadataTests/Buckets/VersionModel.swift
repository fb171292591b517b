import Core
import Metadata

/// What a bucket should hold, kept in arrays: of each key its versions, the latest first.
struct VersionModel {
    struct Version {
        var name: VersionID
        var isNull: Bool
        /// nil for a delete marker.
        var object: ObjectRecord?
        var markedAt = Timestamp(millisecondsSince1970: 0)
        var owner: String?
    }

    /// What a listing shows: a version of a key, or a common prefix.
    enum Item: Hashable {
        case version([UInt8], VersionID, isLatest: Bool)
        case commonPrefix([UInt8])

        var name: [UInt8] {
            switch self {
            case .version(let key, _, _): key
            case .commonPrefix(let prefix): prefix
            }
        }
    }

    var versioning = Versioning.off
    private(set) var versions: [[UInt8]: [Version]] = [:]
    /// Every blob that there ever was.
    private(set) var blobs: Set<BlobID> = []

    func versions(of key: String) -> [Version] { versions[Array(key.utf8)] ?? [] }

    func latestObject(of key: String) -> ObjectRecord? { versions(of: key).first?.object }

    mutating func put(_ object: ObjectRecord) {
        blobs.formUnion(object.blobs.map(\.id))
        add(Version(name: object.version, isNull: object.isNullVersion, object: object), to: object.key)
    }

    mutating func mark(_ key: String, name: VersionID, at time: Timestamp, owner: String?) {
        add(Version(name: name, isNull: versioning == .suspended, object: nil, markedAt: time, owner: owner), to: key)
    }

    private mutating func add(_ version: Version, to key: String) {
        var all = versions(of: key)
        if versioning != .enabled { all.removeAll(where: \.isNull) }
        versions[Array(key.utf8)] = [version] + all
    }

    mutating func remove(_ name: VersionID, of key: String) {
        let rest = versions(of: key).filter { $0.name != name }
        versions[Array(key.utf8)] = rest.isEmpty ? nil : rest
    }

    mutating func note(_ unused: [BlobRecord]) { blobs.formUnion(unused.map(\.id)) }

    var objects: [ObjectRecord] { versions.values.compactMap { $0.first?.object } }
    var referenced: Set<BlobID> { Set(versions.values.flatMap { $0 }.flatMap { $0.object?.blobs.map(\.id) ?? [] }) }
    var totals: MetadataTotals {
        MetadataTotals(objectCount: Int64(objects.count), byteCount: objects.reduce(0) { $0 + $1.byteCount })
    }

    /// All that listings of the latest, or of all versions, show on one endless page.
    func items(prefix: String, delimiter: String?, allVersions: Bool) -> [Item] {
        var items: [Item] = []
        for (key, versions) in versions.sorted(by: { $0.key.lexicographicallyPrecedes($1.key) }) {
            guard key.starts(with: prefix.utf8), allVersions || versions[0].object != nil else { continue }
            if let commonPrefix = Self.commonPrefix(of: key, prefix: prefix, delimiter: delimiter) {
                if items.last != .commonPrefix(commonPrefix) { items.append(.commonPrefix(commonPrefix)) }
                continue
            }
            for (index, version) in versions.enumerated().prefix(allVersions ? versions.count : 1) {
                items.append(.version(key, version.name, isLatest: index == 0))
            }
        }
        return items
    }

    private static func commonPrefix(of key: [UInt8], prefix: String, delimiter: String?) -> [UInt8]? {
        guard let delimiter, !delimiter.isEmpty else { return nil }
        let wanted = Array(delimiter.utf8)
        for start in prefix.utf8.count..<max(prefix.utf8.count, key.count) where key[start...].starts(with: wanted) {
            return Array(key[..<(start + wanted.count)])
        }
        return nil
    }
}

extension ListPage<ListedVersion> {
    var items: [VersionModel.Item] {
        let versions = elements.map { listed -> VersionModel.Item in
            let name =
                switch listed.version {
                case .object(let object): object.version
                case .deleteMarker(let marker): marker.version
                }
            return .version(Array(listed.version.key.utf8), name, isLatest: listed.isLatest)
        }
        return merge(versions, commonPrefixes)
    }
}

extension ListPage<ObjectRecord> {
    var items: [VersionModel.Item] {
        merge(elements.map { .version(Array($0.key.utf8), $0.version, isLatest: true) }, commonPrefixes)
    }
}

/// In byte order of their names; versions of a key stay in their order.
private func merge(_ versions: [VersionModel.Item], _ prefixes: [String]) -> [VersionModel.Item] {
    var prefixes = prefixes.map { VersionModel.Item.commonPrefix(Array($0.utf8)) }[...]
    var items: [VersionModel.Item] = []
    for version in versions {
        while let prefix = prefixes.first, prefix.name.lexicographicallyPrecedes(version.name) {
            items.append(prefix)
            prefixes.removeFirst()
        }
        items.append(version)
    }
    return items + prefixes
}

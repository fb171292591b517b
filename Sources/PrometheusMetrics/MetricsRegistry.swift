import Synchronization

/// All metrics of a process, as Prometheus sees them: the backend of swift-metrics, so that the metrics of libraries appear too.
///
/// Safe to use from any thread. Updating a metric takes no lock, making one does.
public final class MetricsRegistry: Sendable {
    static let overflowValue = "other"

    struct Labels: Hashable, Comparable, Sendable {
        /// In the order of their names.
        let pairs: [Pair]

        struct Pair: Hashable, Sendable {
            let name: String
            let value: String
        }

        init(_ dimensions: [(String, String)]) {
            var seen: Set<String> = []
            pairs = dimensions.map { Pair(name: MetricName.label($0.0), value: $0.1) }.filter { seen.insert($0.name).inserted }
                .sorted { $0.name < $1.name }
        }

        static func < (one: Labels, other: Labels) -> Bool {
            one.pairs.lexicographicallyPrecedes(other.pairs) { ($0.name, $0.value) < ($1.name, $1.value) }
        }
    }

    struct Family: Sendable {
        let description: MetricDescription
        let kind: MetricKind
        var children: [Labels: any MetricCell] = [:]
    }

    private struct State {
        var families: [String: Family] = [:]
        var collectors: [@Sendable () async -> Void] = []
    }

    private let descriptions: [String: MetricDescription]
    private let state = Mutex(State())

    /// - Parameter descriptions: of the metrics that this program makes. Others get what their kind allows.
    public init(_ descriptions: [MetricDescription] = []) {
        self.descriptions = Dictionary(descriptions.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
    }

    /// Adds something that brings gauges up to date just before they are read.
    public func addCollector(_ collect: @escaping @Sendable () async -> Void) { state.withLock { $0.collectors.append(collect) } }

    func collect() async {
        for collect in state.withLock({ $0.collectors }) { await collect() }
    }

    /// Every metric that has a value, in the order of names.
    var families: [Family] {
        state.withLock { state in state.families.values.filter { !$0.children.isEmpty }.sorted { $0.description.name < $1.description.name }
        }
    }

    /// The cell of a metric under its labels, made when it is asked for first.
    ///
    /// A name that was used for another kind before gets a cell of its own that nobody reads: a mistake in one metric is no reason to
    /// end the process.
    func cell<Cell: MetricCell>(_ name: String, _ kind: MetricKind, _ dimensions: [(String, String)], make: ([Double]) -> Cell) -> Cell {
        let name = MetricName.metric(name)
        var labels = Labels(dimensions)
        return state.withLock { state in
            var family = state.families[name] ?? Family(description: description(of: name, kind), kind: kind)
            guard family.kind == kind else { return make(family.description.buckets) }
            if family.children[labels] == nil, family.children.count >= family.description.childLimit {
                labels = Labels(labels.pairs.map { ($0.name, Self.overflowValue) })
            }
            if let cell = family.children[labels] as? Cell { return cell }
            let cell = make(family.description.buckets)
            family.children[labels] = cell
            state.families[name] = family
            return cell
        }
    }

    private func description(of name: String, _ kind: MetricKind) -> MetricDescription {
        if let known = descriptions[name], kind != .histogram || !known.buckets.isEmpty { return known }
        return MetricDescription(
            name, descriptions[name]?.help ?? "Reported by a library.", buckets: kind == .histogram ? MetricDescription.latencyBuckets : [],
            childLimit: descriptions[name]?.childLimit ?? MetricDescription.standardChildLimit)
    }

    /// Sets all values of a gauge of things that come and go, in one step: whoever reads meanwhile sees all that were or all that are.
    public func replace(_ name: String, with values: [([(String, String)], Double)]) {
        let name = MetricName.metric(name)
        var children: [Labels: any MetricCell] = [:]
        let description = description(of: name, .gauge)
        for (dimensions, value) in values.prefix(description.childLimit) {
            let cell = GaugeCell()
            cell.set(value)
            children[Labels(dimensions)] = cell
        }
        state.withLock { state in
            var family = state.families[name] ?? Family(description: description, kind: .gauge)
            guard family.kind == .gauge else { return }
            family.children = children
            state.families[name] = family
        }
    }

    // MARK: Setting from outside of swift-metrics

    public func set(_ name: String, _ dimensions: [(String, String)] = [], to value: Double) {
        cell(name, .gauge, dimensions) { _ in GaugeCell() }.set(value)
    }

    /// A counter that is counted elsewhere.
    public func setCounter(_ name: String, _ dimensions: [(String, String)] = [], to value: Double) {
        cell(name, .counter, dimensions) { _ in CounterCell() }.set(value)
    }
}

/// Names as Prometheus accepts them.
enum MetricName {
    static func metric(_ name: String) -> String { accepted(name, alsoColon: true) }
    static func label(_ name: String) -> String { accepted(name, alsoColon: false) }

    private static func accepted(_ name: String, alsoColon: Bool) -> String {
        var bytes = name.utf8.map { byte -> UInt8 in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "0")...UInt8(ascii: "9"): byte
            case UInt8(ascii: ":") where alsoColon: byte
            default: UInt8(ascii: "_")
            }
        }
        if bytes.first.map({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }) ?? true { bytes.insert(UInt8(ascii: "_"), at: 0) }
        return String(decoding: bytes, as: UTF8.self)
    }
}

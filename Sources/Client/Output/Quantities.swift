/// A number of bytes for people: four digits at most, in powers of 1024.
package func formatBytes(_ byteCount: Int64) -> String {
    guard byteCount >= 1_024 else { return "\(byteCount) B" }
    var value = Double(byteCount)
    var unit = ""
    for next in ["KiB", "MiB", "GiB", "TiB", "PiB"] where value >= 999.95 || unit.isEmpty {
        value /= 1_024
        unit = next
    }
    // One decimal, rounded.
    let tenths = Int64((value * 10).rounded())
    return "\(tenths / 10).\(tenths % 10) \(unit)"
}

/// A duration for people: `42s`, `3m07s`, `2h05m`, `4d03h`.
package func formatDuration(_ duration: Duration) -> String {
    let seconds = max(0, duration.components.seconds)
    func two(_ number: Int64) -> String { number < 10 ? "0\(number)" : "\(number)" }
    return switch seconds {
    case ..<60: "\(seconds)s"
    case ..<3_600: "\(seconds / 60)m\(two(seconds % 60))s"
    case ..<86_400: "\(seconds / 3_600)h\(two(seconds / 60 % 60))m"
    default: "\(seconds / 86_400)d\(two(seconds / 3_600 % 24))h"
    }
}

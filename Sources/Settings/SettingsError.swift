/// Why a server does not start: one setting is wrong, or the settings file cannot be read.
///
/// ``description`` is one line. It names the setting, where its value came from, the value (never a secret one) and what is
/// accepted. Starting again without changing the settings cannot help.
public struct SettingsError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The exit code of a process that stops for it: `EX_CONFIG` of sysexits.h.
    public static let exitCode: Int32 = 78

    public let description: String

    /// A value that the setting does not take.
    init(_ setting: SettingDescription, value: String, from origin: SettingOrigin, accepted: String? = nil, because reason: String? = nil) {
        let shown = setting.isSecret ? "***" : value.debugDescription
        let problem = reason.map { " is not accepted: \($0);" } ?? " is not accepted;"
        self.init("\(setting.name): \(shown) (\(origin.naming(setting)))\(problem) accepted: \(accepted ?? setting.accepted)")
    }

    /// Line breaks in what others wrote (a file's name, a parser's message) do not break the line.
    init(_ message: String) {
        description = message.split(whereSeparator: \.isNewline).map { $0.trimmingPrefix(while: \.isWhitespace) }.joined(separator: " ")
    }
}

/// Where a value was found; the earlier ones win.
enum SettingOrigin: Hashable, Sendable {
    case flag
    case environment
    case file(path: String)
    /// The ``SettingDescription/sharedVariable``.
    case sharedEnvironment
    case defaultValue

    func naming(_ setting: SettingDescription) -> String {
        switch self {
        case .flag: "from the flag --\(setting.name)"
        case .environment: "from the environment variable \(setting.environmentVariable)"
        case .file(let path): "from the file \(path)"
        case .sharedEnvironment: "from the environment variable \(setting.sharedVariable ?? "")"
        case .defaultValue: "the default"
        }
    }
}

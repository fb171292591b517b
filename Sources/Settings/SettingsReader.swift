internal import Configuration
internal import Core

/// Looks settings up in flags, environment and file, in this order, and says where a wrong value came from.
struct SettingsReader {
    private let executable: Executable
    /// The earlier ones win.
    private var sources: [(origin: SettingOrigin, snapshot: any ConfigSnapshot)]
    /// Without the variables that are empty.
    private let environment: [String: String]

    /// - Parameter flags: what was given on the command line, by the settings' names.
    /// - Throws: ``SettingsError`` when the settings file cannot be used.
    init(executable: Executable, flags: [String: String], environment: [String: String]) throws(SettingsError) {
        self.executable = executable
        let values = flags.map { (AbsoluteConfigKey([$0.key]), ConfigValue(.string($0.value), isSecret: true)) }
        let variables = Dictionary(uniqueKeysWithValues: SettingsTable.all.map { ($0.name, $0.environmentVariable) })
        // Compose files and unit files pass on variables that nobody set as empty ones.
        self.environment = environment.filter { !$0.value.isEmpty }
        let set = EnvironmentVariablesProvider(environmentVariables: self.environment, secretsSpecifier: .all)
        let named = KeyMappingProvider(upstream: set) { key in
            AbsoluteConfigKey(key.components.map { variables[$0] ?? $0 }, context: key.context)
        }
        sources = [
            (.flag, InMemoryProvider(name: "flags", values: Dictionary(uniqueKeysWithValues: values)).snapshot()),
            (.environment, named.snapshot()),
        ]
        guard let path = try value(of: SettingsTable.config)?.value else { return }
        sources.append((.file(path: path), try SettingsFile.read(path, for: executable)))
    }

    /// The value and where it came from; nil when nobody set it and it has no default.
    func value<Value>(of setting: Setting<Value>) throws(SettingsError) -> (value: Value, text: String, origin: SettingOrigin)? {
        for (origin, snapshot) in sources {
            guard let text = try text(of: setting.description, in: snapshot, from: origin) else { continue }
            guard let value = setting.parse(text) else { throw SettingsError(setting.description, value: text, from: origin) }
            return (value, text, origin)
        }
        if let variable = setting.description.sharedVariable, let text = environment[variable] {
            guard let value = setting.parse(text) else { throw SettingsError(setting.description, value: text, from: .sharedEnvironment) }
            return (value, text, .sharedEnvironment)
        }
        guard let text = setting.description.defaults[executable] ?? nil else { return nil }
        guard let value = setting.parse(text) else { throw SettingsError(setting.description, value: text, from: .defaultValue) }
        return (value, text, .defaultValue)
    }

    /// The value of a setting that has a default.
    func required<Value>(_ setting: Setting<Value>) throws(SettingsError) -> Value {
        guard let found = try value(of: setting) else {
            throw SettingsError("\(setting.description.name): nothing was given; accepted: \(setting.description.accepted)")
        }
        return found.value
    }

    /// - Returns: nil for never.
    func scrubPeriod() throws(SettingsError) -> Duration? {
        let seconds = try required(SettingsTable.scrubPeriod)
        return seconds > 0 ? .seconds(seconds) : nil
    }

    func optional<Value>(_ setting: Setting<Value>) throws(SettingsError) -> Value? { try value(of: setting)?.value }

    private func text(
        of setting: SettingDescription, in snapshot: any ConfigSnapshot, from origin: SettingOrigin
    ) throws(SettingsError) -> String? {
        let key = AbsoluteConfigKey([setting.name])
        do {
            return try snapshot.value(forKey: key, type: .string).value?.content.text
        } catch {
            // Only the file has values that are not strings.
            let list = (try? snapshot.value(forKey: key, type: .stringArray))?.value?.content.text ?? ""
            guard setting.isList else { throw SettingsError(setting, value: "[\(list)]", from: origin, because: "it is a list") }
            return list
        }
    }
}

extension ConfigContent {
    /// Lists as they are written on the command line.
    fileprivate var text: String? {
        switch self {
        case .string(let text): text
        case .stringArray(let texts): texts.joined(separator: ",")
        default: nil
        }
    }
}

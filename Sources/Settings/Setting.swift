internal import ArgumentParser

/// What a user must know of one setting. Help, errors and `docs/settings.md` are made of these.
public struct SettingDescription: Hashable, Sendable {
    /// The flag without its dashes, and the key in the settings file.
    public let name: String
    public let environmentVariable: String
    /// A variable that has a meaning for programs of others too: looked at when the setting is given nowhere else.
    public let sharedVariable: String?
    /// The executables that have the setting, each with its default in the form that a user would write; nil for none.
    public let defaults: [Executable: String?]
    /// What it is, and in which unit.
    public let help: String
    /// What is accepted, to follow the word "accepted:".
    public let accepted: String
    /// The placeholder for the value in help, for example `host:port`.
    public let placeholder: String
    /// It must appear nowhere but in memory.
    public let isSecret: Bool
    /// The settings file may give it as a list.
    public let isList: Bool
    /// The settings file itself cannot be named in the settings file.
    public let isAllowedInFile: Bool
}

/// A setting with the type of its value.
struct Setting<Value: Sendable>: Sendable {
    let description: SettingDescription
    /// - Returns: nil for what is not accepted.
    let parse: @Sendable (String) -> Value?

    init(
        _ name: String, environment: String, shared: String? = nil, defaults: [Executable: String?], placeholder: String, help: String,
        accepted: String,
        isSecret: Bool = false, isList: Bool = false, isAllowedInFile: Bool = true, parse: @escaping @Sendable (String) -> Value?
    ) {
        description = SettingDescription(
            name: name, environmentVariable: environment, sharedVariable: shared, defaults: defaults, help: help, accepted: accepted,
            placeholder: placeholder,
            isSecret: isSecret, isList: isList, isAllowedInFile: isAllowedInFile)
        self.parse = parse
    }

    /// The flag's name for ArgumentParser.
    var flag: NameSpecification { .customLong(description.name) }

    /// The flag's help for ArgumentParser. Without an executable the default must be the same in all.
    func help(for executable: Executable? = nil) -> ArgumentHelp {
        ArgumentHelp("\(description.summary(for: executable))", valueName: description.placeholder)
    }
}

extension SettingDescription {
    func summary(for executable: Executable?) -> String {
        let defaultValue = executable.map { defaults[$0] ?? nil } ?? defaults.values.first ?? nil
        let accepted = self.accepted == placeholder ? "" : " Accepted: \(self.accepted)."
        return "\(help)\(accepted) (default: \(defaultValue ?? "none"); environment: \(environmentVariable))"
    }
}

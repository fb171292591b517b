extension SettingsTable {
    /// The rows of the table in `docs/settings.md`, one a setting.
    public static var markdownRows: [String] {
        all.map { setting in
            let users = Executable.allCases.filter { setting.defaults[$0] != nil }
            let defaults = users.map { (user: $0, text: (setting.defaults[$0] ?? nil).map { "`\($0)`" } ?? "none") }
            let defaultValue =
                Set(defaults.map(\.text)).count == 1
                ? defaults[0].text : defaults.map { "\($0.user) \($0.text)" }.joined(separator: ", ")
            let columns = [
                "`--\(setting.name)`", "`\(setting.environmentVariable)`", users.map(\.rawValue).joined(separator: ", "), defaultValue,
                setting.accepted, setting.help,
            ]
            return "| \(columns.joined(separator: " | ")) |"
        }
    }
}

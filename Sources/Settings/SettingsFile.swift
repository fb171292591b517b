internal import Configuration
internal import Foundation
internal import Synchronization

/// Reads the YAML file of settings, and refuses what it does not know in it.
enum SettingsFile {
    /// A settings file is a screenful; anything much larger is some other file.
    static let longestByteCount = 1 << 20

    /// - Throws: ``SettingsError`` when it cannot be read, is not a YAML mapping, or has a key that `executable` does not have.
    static func read(_ path: String, for executable: Executable) throws(SettingsError) -> any ConfigSnapshot {
        let text = try contents(of: path, for: SettingsTable.config.description)
        // A file in which every line is commented out is no mapping to YAML; here it sets nothing, and that is no error.
        if text.allLinesAreComments { return InMemoryProvider(values: [:]).snapshot() }
        let keys = Mutex<[String]>([])
        let snapshot: YAMLSnapshot
        do {
            // The specifier is asked once for every key of the file: this is how their names get out.
            let specifier = SecretsSpecifier<String, Void>.dynamic { key, _ in
                keys.withLock { $0.append(key) }
                return true
            }
            let bytes = Array(text.utf8)
            snapshot = try YAMLSnapshot(data: bytes.span.bytes, providerName: path, parsingOptions: .init(secretsSpecifier: specifier))
        } catch {
            // The parser's own message quotes the file, secrets included: only the place is taken from it.
            let place = "\(error)".prefixMatch(of: /([0-9]+):[0-9]+:/).map { ", line \($0.output.1)" } ?? ""
            throw SettingsError(
                "config: \(path.debugDescription) is not accepted: not valid YAML\(place);"
                    + " accepted: a YAML file with one \"name: value\" a line, each name once")
        }
        for key in keys.withLock({ $0.sorted() }) { try check(key, in: path, for: executable) }
        return snapshot
    }

    private static func check(_ key: String, in path: String, for executable: Executable) throws(SettingsError) {
        let known = SettingsTable.settings(of: executable).filter(\.isAllowedInFile)
        guard !known.contains(where: { $0.name == key }) else { return }
        let others = SettingsTable.all.first { $0.name == key && $0.isAllowedInFile }
        let reason = others.map {
            "a setting of \($0.defaults.keys.map(\.rawValue).sorted().joined(separator: ", ")), not of \(executable)"
        }
        throw SettingsError(
            "\(key.debugDescription) (from the file \(path)) is \(reason ?? "not a setting");"
                + " accepted: \(known.map(\.name).joined(separator: ", "))")
    }

    /// Text of a file that a setting names.
    static func contents(of path: String, for setting: SettingDescription) throws(SettingsError) -> String {
        func refuse(_ reason: String) -> SettingsError {
            SettingsError("\(setting.name): \(path.debugDescription) is not accepted: \(reason); accepted: \(setting.accepted)")
        }
        guard let file = FileHandle(forReadingAtPath: path) else { throw refuse(String(cString: strerror(errno))) }
        defer { try? file.close() }
        let data: Data?
        do { data = try file.read(upToCount: longestByteCount + 1) } catch { throw refuse("it cannot be read") }
        guard let data else { return "" }
        guard data.count <= longestByteCount else { throw refuse("it is longer than \(longestByteCount) bytes") }
        guard let text = String(bytes: data, encoding: .utf8) else { throw refuse("it is not UTF-8 text") }
        return text
    }
}

extension String {
    fileprivate var allLinesAreComments: Bool {
        split(whereSeparator: \.isNewline).allSatisfy { line in
            let text = line.trimmingPrefix(while: \.isWhitespace)
            return text.isEmpty || text.hasPrefix("#")
        }
    }
}

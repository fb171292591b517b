internal import FoundationEssentials
internal import Yams

/// Reads the YAML file of the keys of encryption at rest.
enum EncryptionKeyFile {
    private static let keyByteCount = 32
    private static let longestName = 256

    /// - Returns: base64 of 32 bytes, by name.
    /// - Throws: ``SettingsError`` when it cannot be read, or has anything else in it. No key is shown.
    static func read(_ path: String, from origin: SettingOrigin) throws(SettingsError) -> [String: Secret] {
        let setting = SettingsTable.kmsKeysFile.description
        func refuse(_ reason: String) -> SettingsError {
            SettingsError(
                setting, value: path, from: origin,
                accepted: "a YAML file, each line NAME: \(keyByteCount) bytes in base64, each name once",
                because: reason)
        }
        let text = try SettingsFile.contents(of: path, for: setting)
        let node: Node?
        // The parser's own message would quote the file.
        do { node = try Yams.compose(yaml: text) } catch { throw refuse("it is not valid YAML") }
        guard let node else { return [:] }
        guard let mapping = node.mapping else { throw refuse("it is no mapping") }
        var keys: [String: Secret] = [:]
        for (number, pair) in mapping.enumerated() {
            guard let name = pair.key.scalar?.string, isName(name) else { throw refuse("the name of entry \(number + 1) is none") }
            guard keys[name] == nil else { throw refuse("\(name) is there twice") }
            guard let value = pair.value.scalar?.string, Data(base64Encoded: value)?.count == keyByteCount else {
                throw refuse("\(name) is not \(keyByteCount) bytes in base64")
            }
            keys[name] = Secret(value)
        }
        return keys
    }

    /// What can stand in a field of a header: letters, digits, and `-_.:/`, as names of keys elsewhere have them.
    private static func isName(_ name: String) -> Bool {
        (1...longestName).contains(name.utf8.count)
            && name.utf8.allSatisfy { byte in
                switch byte {
                case 0x30...0x39, 0x41...0x5A, 0x61...0x7A: true
                default: "-_.:/".utf8.contains(byte)
                }
            }
    }
}

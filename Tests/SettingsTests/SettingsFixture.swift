import ArgumentParser
import Foundation
import Settings
import Testing

/// Loads a server's settings from what would be its command line, its environment and its settings file.
struct SettingsFixture {
    var flags: [String] = []
    var environment: [String: String] = [:]
    /// Contents of the settings file; nil for none.
    var file: String?

    func distributor() throws -> DistributorSettings {
        try withConfig { try DistributorSettings.load(flags: DistributorFlags.parse($0), environment: environment) }
    }

    func storage() throws -> StorageSettings {
        try withConfig { try StorageSettings.load(flags: StorageFlags.parse($0), environment: environment) }
    }

    func server() throws -> ServerSettings {
        try withConfig { try ServerSettings.load(flags: ServerFlags.parse($0), environment: environment) }
    }

    /// The one line with which the distributor refuses to start.
    func refusal(sourceLocation: SourceLocation = #_sourceLocation) -> String {
        do {
            let settings = try distributor()
            Issue.record("these settings were accepted: \(settings)", sourceLocation: sourceLocation)
            return ""
        } catch let error as SettingsError {
            #expect(!error.description.contains { $0.isNewline }, sourceLocation: sourceLocation)
            return error.description
        } catch {
            Issue.record(error, sourceLocation: sourceLocation)
            return ""
        }
    }

    private func withConfig<Result>(_ load: ([String]) throws -> Result) throws -> Result {
        guard let file else { return try load(flags) }
        let directory = FileManager.default.temporaryDirectory.appending(path: "settings-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: directory) }
        let path = directory.appending(path: "settings.yaml")
        try Data(file.utf8).write(to: path)
        return try load(flags + ["--config", path.path])
    }
}

internal import ArgumentParser
internal import Foundation

/// The root key, by which a server knows who may make accounts. From the environment alone: other users can see flags.
enum RootKeyEnvironment {
    static let accessKey = "CHUNKFLOW_ROOT_ACCESS_KEY"
    static let secretKey = "CHUNKFLOW_ROOT_SECRET_KEY"

    /// - Throws: `ValidationError`
    static func read(_ environment: [String: String] = ProcessInfo.processInfo.environment) throws -> RootKey {
        guard let access = environment[accessKey], !access.isEmpty, let secret = environment[secretKey], !secret.isEmpty else {
            throw ValidationError("\(accessKey) and \(secretKey) must be set to the root key of the server's configuration")
        }
        return RootKey(accessKey: access, secretKey: secret)
    }

    static let explanation = "The server must know the root key, and \(accessKey) and \(secretKey) must hold it here."
}

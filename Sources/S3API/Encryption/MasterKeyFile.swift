internal import FoundationEssentials

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// The file of a master key that a server made: one line, as it would stand in the key file. All methods block.
struct MasterKeyFile: Sendable {
    let path: String
    /// The name before the key.
    let name: String

    /// - Returns: nil when there is no such file.
    /// - Throws: ``EncryptionError/masterKeyMissing(detail:)`` when there is one that has no key.
    func read() throws -> [UInt8]? {
        let text: String
        do {
            text = try String(contentsOfFile: path, encoding: .utf8)
        } catch {
            if access(path, F_OK) != 0, errno == ENOENT { return nil }
            throw EncryptionError.masterKeyMissing(detail: "\(path) cannot be read")
        }
        let start = "\(name): "
        guard let line = text.split(separator: "\n").first(where: { $0.hasPrefix(start) }),
            let key = Data(base64Encoded: String(line.dropFirst(start.count))), key.count == WrappingKey.byteCount
        else { throw EncryptionError.masterKeyMissing(detail: "\(path) has no key in it") }
        return Array(key)
    }

    /// Writes a file that is not there yet: the whole of it is there and durable when this returns, or nothing has the name.
    /// - Throws: ``EncryptionError/masterKeyMissing(detail:)``.
    func make(_ key: [UInt8]) throws {
        let text = Array("\(name): \(Data(key).base64EncodedString())\n".utf8)
        let unfinished = path + ".unfinished"
        unlink(unfinished)
        let file = open(unfinished, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard file >= 0 else { throw failure("cannot be made") }
        defer { unlink(unfinished) }
        let isWritten = text.withUnsafeBytes { write(file, $0.baseAddress, $0.count) } == text.count && fsync(file) == 0
        close(file)
        // A second name, which nothing must have: unlike a new name it replaces nothing.
        guard isWritten, link(unfinished, path) == 0 else { throw failure("cannot be written") }
        let directory = open(
            String(path.prefix(upTo: path.lastIndex(of: "/") ?? path.startIndex)) + "/", O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard directory >= 0 else { throw failure("cannot be made durable") }
        defer { close(directory) }
        guard fsync(directory) == 0 else { throw failure("cannot be made durable") }
    }

    private func failure(_ what: String) -> EncryptionError {
        .masterKeyMissing(detail: "\(path) \(what): \(String(cString: strerror(errno)))")
    }
}

import ArgumentParser
import Client
import Testing

@Suite("Arguments of the client")
struct ArgumentTests {
    private static let wrong: [(any ParsableCommand.Type, [String])] = [
        (UploadCommand.self, []), (UploadCommand.self, ["a", "b", "--name", "c"]), (DownloadCommand.self, ["id"]),
        (DownloadCommand.self, ["-o", "file"]), (DownloadCommand.self, ["id", "-o", "-", "--json"]), (RemoveCommand.self, []),
        (ListCommand.self, ["--server", "localhost:8080"]), (ListCommand.self, ["--server", "ftp://host"]),
        (ListCommand.self, ["--server", "http://"]), (ListCommand.self, ["--retries", "-1"]), (ListCommand.self, ["--retries", "x"]),
        (StatusCommand.self, ["extra"]), (ClusterCommand.self, ["nonsense"]), (ClusterCommand.self, ["status", "extra"]),
        (ClusterCommand.self, ["add"]), (ClusterCommand.self, ["add", "host"]), (ClusterCommand.self, ["add", "host:0"]),
        (ClusterCommand.self, ["drain"]), (ClusterCommand.self, ["drain", ""]), (ClusterCommand.self, ["drain", "a", "b"]),
        (ClusterCommand.self, ["set-weight", "node"]), (ClusterCommand.self, ["set-weight", "node", "0"]),
        (ClusterCommand.self, ["set-weight", "node", "nan"]), (ClusterCommand.self, ["set-weight", "node", "inf"]),
        (ClusterCommand.self, ["layout", "plan", "add", "node"]), (ClusterCommand.self, ["layout", "plan", "drain", "node", "--force"]),
        (ClusterCommand.self, ["layout", "plan", "set-weight", "node", "-1"]), (ClusterCommand.self, ["pause", "--retries", "x"]),
        (BenchCommand.self, ["--size", "big"]), (BenchCommand.self, ["--size", "1,,2"]), (BenchCommand.self, ["--concurrency", "0"]),
        (BenchCommand.self, ["--duration", "1", "--count", "1"]), (BenchCommand.self, ["--workload", "nonsense"]),
        (BenchCommand.self, ["--count", "0"]), (AccountCommand.self, ["create", "--id", "a"]), (AccountCommand.self, ["nonsense"]),
        (AccountCommand.self, ["ls", "--http", "host"]), (AccountCommand.self, ["ls", "--http", "host:0"]),
        (AccountCommand.self, ["ls", "--http", "host:1", "--server", "http://host:1"]), (KeyCommand.self, ["create"]),
        (KeyCommand.self, ["create", "--account", ""]), (KeyCommand.self, ["create", "--account", "a", "--access-key", "AK1"]),
        (KeyCommand.self, ["create", "--account", "a", "--secret-key", "s"]), (KeyCommand.self, ["list"]), (KeyCommand.self, ["disable"]),
        (KeyCommand.self, ["delete", ""]), (KeyCommand.self, ["enable", "a", "b"]),
    ]

    @Test("wrong usage ends with 64", arguments: wrong.indices)
    func wrongUsage(index: Int) {
        let (command, arguments) = Self.wrong[index]
        do {
            let parsed = try command.parseAsRoot(arguments)
            Issue.record("\(arguments) were accepted as \(parsed)")
        } catch {
            #expect(command.exitCode(for: error).rawValue == 64, "\(arguments): \(command.message(for: error))")
        }
    }

    /// Those that do something, not those that only have subcommands.
    private static let commands = leaves(ClientCommands.all)

    private static func leaves(_ commands: [any ParsableCommand.Type]) -> [any ParsableCommand.Type] {
        commands.flatMap { $0.configuration.subcommands.isEmpty ? [$0] : leaves($0.configuration.subcommands) }
    }

    @Test("every command explains its exit codes and where the server's address comes from", arguments: commands.indices)
    func help(index: Int) {
        let text = Self.commands[index].helpMessage(columns: 10_000)
        #expect(text.contains("Exit codes: 0 all done; 1 failed"))
        #expect(text.contains("environment: CHUNKFLOW_SERVER"))
        #expect(text.contains("http://127.0.0.1:8080"))
    }

    @Test("the exit status of several outcomes is the one that they share")
    func combining() {
        #expect(ExitStatus.combining([]) == .success)
        #expect(ExitStatus.combining([.success, .success]) == .success)
        #expect(ExitStatus.combining([.notFound, .notFound]) == .notFound)
        #expect(ExitStatus.combining([.unavailable]) == .unavailable)
        #expect(ExitStatus.combining([.success, .notFound]) == .failure)
        #expect(ExitStatus.combining([.notFound, .unavailable]) == .failure)
    }

    @Test(
        "a media type is guessed from the extension",
        arguments: [
            ("a.JPG", "image/jpeg"), ("a.tar.gz", "application/gzip"), ("noextension", "application/octet-stream"),
            (".txt", "application/octet-stream"), ("a.", "application/octet-stream"),
        ])
    func contentTypes(name: String, type: String) {
        #expect(ContentTypes.guess(forFileName: name) == type)
    }
}

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
        (StatusCommand.self, ["extra"]),
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

    @Test("every command explains its exit codes and where the server's address comes from", arguments: ClientCommands.all.indices)
    func help(index: Int) {
        let text = ClientCommands.all[index].helpMessage(columns: 10_000)
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

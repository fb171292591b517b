import ArgumentParser
import Client
import Core
import ServerAssembly
import Settings

/// `chunkflow doctor SERVER`
struct DoctorCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "doctor", abstract: "Find out what keeps a server from working, and what to do about it.",
        discussion: """
            Takes the flags, the environment and the settings file that the server takes, and looks at configuration, disk, ports, open files, the \
            servers that it will talk to, and the clock. It can be run before the server is started, and beside it.

            Exit codes: 0 nothing is wrong, or there are only warnings; 1 there are problems; 64 wrong usage.
            """,
        subcommands: [ServerDoctor.self, DistributorDoctor.self, StorageDoctor.self], defaultSubcommand: ServerDoctor.self)
}

/// `chunkflow doctor server`
struct ServerDoctor: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "server", abstract: "For \"chunkflow server\".")

    @OptionGroup var options: DoctorOptions
    @OptionGroup var flags: ServerFlags

    func run() async throws {
        try await options.examine { doctor, peers in try await doctor.examine(try ServerSettings.load(flags: flags), httpPeers: peers) }
    }
}

/// `chunkflow doctor distributor`
struct DistributorDoctor: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "distributor", abstract: "For \"distributor\".")

    @OptionGroup var options: DoctorOptions
    @OptionGroup var flags: DistributorFlags

    func run() async throws {
        try await options.examine { doctor, peers in try await doctor.examine(try DistributorSettings.load(flags: flags), httpPeers: peers)
        }
    }
}

/// `chunkflow doctor storage`
struct StorageDoctor: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "storage", abstract: "For \"storage\".")

    @OptionGroup var options: DoctorOptions
    @OptionGroup var flags: StorageFlags

    func run() async throws {
        try await options.examine { doctor, peers in try await doctor.examine(try StorageSettings.load(flags: flags), httpPeers: peers) }
    }
}

/// What `chunkflow doctor` takes for all servers, and how it reports.
struct DoctorOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "HTTP address of another server, whose clock is compared; may be repeated. Without it: the usual ports of those named in the settings.",
            valueName: "host:port"),
        transform: { text in
            guard let address = HostPort(text), address.port > 0 else {
                throw ValidationError("--http-peer: \(text.debugDescription) is not accepted; accepted: host:port")
            }
            return address
        })
    var httpPeer: [HostPort] = []

    @Flag(help: "Print JSON for scripts.")
    var json = false

    func examine(_ work: (Doctor, [HostPort]) async throws -> [Finding]) async throws {
        let doctor = Doctor(time: SystemTime()) { address in
            guard let server = ServerAddress("http://\(address)") else { throw ValidationError("\(address) is no address") }
            return try await ServerConnection.with(server) { try await $0.date() }
        }
        let findings: [Finding]
        do {
            findings = try await work(doctor, httpPeer)
        } catch let error as SettingsError {
            findings = [Doctor.finding(error)]
        }
        let console = Console.standard
        if json { console.print(json: document(findings)) } else { for line in lines(findings) { console.print(line) } }
        if findings.contains(where: { $0.severity == .problem }) { throw ExitCode.failure }
    }

    private func count(_ severity: Finding.Severity, of findings: [Finding]) -> Int { findings.count { $0.severity == severity } }

    private func document(_ findings: [Finding]) -> JSONValue {
        [
            "problems": .integer(Int64(count(.problem, of: findings))), "warnings": .integer(Int64(count(.warning, of: findings))),
            "findings": .array(
                findings.map {
                    [
                        "severity": .string($0.severity.rawValue), "subject": .string($0.subject), "detail": .string($0.detail),
                        "advice": JSONValue($0.advice),
                    ]
                }),
        ]
    }

    private func lines(_ findings: [Finding]) -> [String] {
        let width = findings.map(\.subject.count).max() ?? 0
        let margin = String(repeating: " ", count: 7 + 2 + width + 2)
        let found = findings.flatMap { finding in
            ["\(finding.severity.rawValue.padded(to: 7))  \(finding.subject.padded(to: width))  \(finding.detail.printable)"]
                + (finding.advice.map { ["\(margin)-> \($0.printable)"] } ?? [])
        }
        return found + ["", "problems: \(count(.problem, of: findings)), warnings: \(count(.warning, of: findings))"]
    }
}

internal import AdminAPI
internal import Core
internal import Foundation
internal import HTTPEdge
internal import Logging
internal import NIOCore
internal import NIOPosix
internal import ServiceLifecycle
internal import Settings
internal import Telemetry
internal import UnixSignals

#if canImport(Glibc)
    internal import CLinux
    internal import Glibc
#endif

/// What every server process does around its role: preparation of the runtime, log, listener lines, signals, exit.
public enum ServerProcess {
    /// Must be called before any Swift concurrency runs.
    ///
    /// Runs Swift tasks on the event loops (no hop between a socket and the code that handles its bytes), and keeps malloc from
    /// giving buffers of this program's usual sizes back to the kernel after every use: docs/decisions/0004-node-protocol.md.
    public static func prepare() {
        TasksOnEventLoops.install()
        #if canImport(Glibc)
            mallopt(M_MMAP_THRESHOLD, 8 * 1024 * 1024)
            mallopt(M_TRIM_THRESHOLD, 32 * 1024 * 1024)
            // Each arena keeps what was freed in it: one for each thread that runs would be many times the memory in use.
            mallopt(M_ARENA_MAX, Int32(clamping: min(8, max(2, System.coreCount))))
        #endif
        signal(SIGPIPE, SIG_IGN)
    }

    /// Runs a role to its end and ends the process: with code 0 after an orderly shutdown, otherwise with one line on standard error
    /// and code 78 (a wrong setting) or 1.
    public static func run(_ role: () async throws -> Void) async -> Never {
        do {
            try await role()
            exit(0)
        } catch let error as SettingsError {
            fail(error.description, code: SettingsError.exitCode)
        } catch {
            fail("\(error)", code: 1)
        }
    }

    private static func fail(_ message: String, code: Int32) -> Never {
        let line = message.split(whereSeparator: \.isNewline).joined(separator: " ")
        FileHandle.standardError.write(Data("error: \(line)\n".utf8))
        exit(code)
    }

    /// One line on standard output, for people and for scripts that wait for it.
    static func announce(_ line: String) { FileHandle.standardOutput.write(Data("\(line)\n".utf8)) }

    static func announce(listener name: String, _ address: HostPort) { announce("listening \(name)=\(address)") }

    /// Runs what makes a listener; when it cannot listen, the error names the setting and the address.
    static func listening<Value>(_ setting: String, at address: HostPort, _ body: () async throws -> Value) async throws -> Value {
        do {
            return try await body()
        } catch is CancellationError {
            throw CancellationError()
        } catch {
            throw StartError("\(setting): \"\(address)\" cannot be listened on: \(error)")
        }
    }

    /// Of every logger of the process.
    private static let logLevel = SharedLogLevel(.info)

    /// Where the level can be seen and changed.
    static func logLevelRoutes(_ logger: Logger) -> [Route] {
        LogLevelRoutes(
            levels: Logger.Level.allCases.map(\.rawValue), current: { logLevel.value.rawValue },
            change: { name in
                guard let level = Logger.Level(rawValue: name) else { return }
                let before = logLevel.value
                // The change itself is written if one of the two levels lets it be.
                logLevel.value = min(before, level)
                logger.notice("log level changed", metadata: ["from": "\(before)", "to": "\(level)"])
                logLevel.value = level
            }
        ).routes
    }

    /// Its lines carry the id of the request, and the trace, that they are written for.
    static func logger(_ label: String, settings: ProcessSettings) -> Logger {
        logger(label, level: Logger.Level(rawValue: settings.logLevel.rawValue) ?? .info, format: settings.logFormat)
    }

    static func logger(_ label: String, level: Logger.Level, format: LogFormat = .auto) -> Logger {
        logLevel.value = level
        let output = LogOutput(format)
        let request = Logger.MetadataProvider { RequestScope.id.map { ["request_id": .string($0)] } ?? [:] }
        return Logger(
            label: label,
            factory: {
                ProcessLogHandler(
                    label: $0, output: output, level: logLevel, metadataProvider: .multiplex([request, .traceContext]))
            })
    }

    /// Runs services until SIGTERM or SIGINT, or until one of them ends; they are shut down in reverse order.
    static func run(_ services: [any Service], settings: ProcessSettings, logger: Logger) async throws {
        var configuration = ServiceGroupConfiguration(
            services: services.map {
                .init(
                    service: $0, successTerminationBehavior: .gracefullyShutdownGroup, failureTerminationBehavior: .gracefullyShutdownGroup)
            },
            gracefulShutdownSignals: [.sigterm, .sigint], logger: logger)
        // Services keep their own deadline for requests in flight; this one is for a service that does not.
        configuration.maximumGracefulShutdownDuration = settings.shutdownTimeout + .seconds(5)
        try await ServiceGroup(configuration: configuration).run()
    }
}

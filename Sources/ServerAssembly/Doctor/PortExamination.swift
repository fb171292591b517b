internal import Core
internal import Foundation

/// Whether a server can listen where it is told to. Blocks while a name is looked up.
enum PortExamination {
    static func finding(_ listen: Listen, isServerRunning: Bool) -> Finding {
        let subject = "port \(listen.setting)"
        let address = listen.address
        do {
            try bind(to: address)
            if isServerRunning, address.port != 0 {
                return .warning(
                    subject, "\(address) is free, although a server uses the directory: it was started with another address",
                    do: "start it again with these settings, or give the settings that it runs with")
            }
            return .ok(subject, address.port == 0 ? "\(address): any free port" : "\(address) is free")
        } catch let error as ListenError {
            return failed(error, subject, listen, isServerRunning: isServerRunning)
        } catch {
            return .problem(subject, "\(address): \(error)", do: "give --\(listen.setting) another address")
        }
    }

    private static func failed(_ error: ListenError, _ subject: String, _ listen: Listen, isServerRunning: Bool) -> Finding {
        let detail = "\(listen.address): \(String(cString: strerror(error.code)))"
        switch error.code {
        case EADDRINUSE where isServerRunning: return .ok(subject, "\(listen.address) is taken, by the server that runs")
        case EADDRINUSE where listen.isOptional:
            return .warning(
                subject, "\(detail); the server does without metrics and health checks", do: "give --\(listen.setting) another address")
        case EADDRINUSE:
            return .problem(
                subject, "\(detail), by another process", do: "stop that (ss -ltnp shows it), or give --\(listen.setting) another address")
        case EACCES:
            return .problem(subject, detail, do: "take a port above 1023, or run it with CAP_NET_BIND_SERVICE")
        case EADDRNOTAVAIL:
            return .problem(
                subject, "\(listen.address) is no address of this machine", do: "give --\(listen.setting) one that is, or 0.0.0.0")
        default: return .problem(subject, detail, do: "give --\(listen.setting) another address")
        }
    }

    private struct ListenError: Error {
        let code: Int32
    }

    private struct UnknownName: Error, CustomStringConvertible {
        let description: String
    }

    /// Listens for a moment.
    private static func bind(to address: HostPort) throws {
        var hints = addrinfo()
        hints.ai_flags = AI_PASSIVE
        #if canImport(Darwin)
            hints.ai_socktype = SOCK_STREAM
        #else
            hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        #endif
        var found: UnsafeMutablePointer<addrinfo>?
        let code = getaddrinfo(address.host, "\(address.port)", &hints, &found)
        guard code == 0, let first = found?.pointee else {
            throw UnknownName(description: "the name \(address.host) does not resolve: \(String(cString: gai_strerror(code)))")
        }
        defer { freeaddrinfo(found) }
        let socket = socket(first.ai_family, first.ai_socktype, 0)
        guard socket >= 0 else { throw ListenError(code: errno) }
        defer { close(socket) }
        var yes: Int32 = 1
        // Connections that are still closing do not keep a server from listening.
        setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &yes, socklen_t(MemoryLayout<Int32>.size))
        #if canImport(Darwin)
            let bound = Darwin.bind(socket, first.ai_addr, first.ai_addrlen)
        #else
            let bound = Glibc.bind(socket, first.ai_addr, first.ai_addrlen)
        #endif
        guard bound == 0, listen(socket, 1) == 0 else { throw ListenError(code: errno) }
    }
}

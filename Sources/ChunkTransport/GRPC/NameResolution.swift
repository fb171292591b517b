internal import Core
internal import NIOCore
internal import NIOPosix

/// Asks the system for the addresses of a name: to tell a wrong name from a node that is away.
enum NameResolution {
    private static let executor = ThreadPoolExecutor(pool: .singleton)

    static func resolves(_ address: HostPort) async -> Bool {
        let found = try? await executor.run { try SocketAddress.makeAddressResolvingHost(address.host, port: address.port) }
        return found != nil
    }
}

/// gRPC's calls between chunkFlow's servers without HTTP/2: the same services, metadata, status codes and interceptors, on connections that
/// carry one call at a time (docs/decisions/0019-direct-connections.md). A server takes both at one address.
public enum DirectProtocol {
    /// What both ends say first. No HTTP/2 connection begins with its first byte.
    static let opening = Array("chunkF1\n".utf8)
}

public import GRPCCore

/// The two streaming methods that carry fragments. They are registered by hand because their messages are raw frames.
public enum FragmentTransfer {
    public static let service = ServiceDescriptor(fullyQualifiedService: "chunkflow.storage.v1.FragmentTransfer")
    /// Stream of frames to the node, one `PutResponse` back.
    public static let put = MethodDescriptor(service: service, method: "Put")
    /// One `GetRequest` to the node, a stream of frames back.
    public static let get = MethodDescriptor(service: service, method: "Get")
}

/// Names in the metadata of calls between servers.
public enum ClusterMetadata {
    /// The cluster secret.
    public static let secret = "chunkflow-secret"
    /// The version of the protocol that the caller speaks. Absent is taken for the first.
    public static let version = "chunkflow-protocol"
    /// Raised when a server of the version before could misunderstand a call. New methods and fields do not need it.
    public static let currentVersion = "1"
    /// The id of the client's request that the caller works for. Absent where it works for none.
    public static let request = "chunkflow-request"
    /// A `NodeErrorDetail`, in the trailers of a call that failed.
    public static let error = "chunkflow-error-bin"

    /// What every call carries.
    public static func ofCall(secret: String?, version: String = currentVersion) -> Metadata {
        var metadata = Metadata()
        metadata.addString(version, forKey: Self.version)
        if let secret { metadata.addString(secret, forKey: Self.secret) }
        return metadata
    }
}

/// HTTP/2 settings of both ends. gRPC's own defaults cost a factor of ten between servers (docs/measurements.md).
public enum ClusterTransportSettings {
    /// Bytes of one HTTP/2 frame.
    public static let frameSize = 1024 * 1024
    /// Bytes of a stream that may be on their way unread.
    public static let windowSize = 2 * 1024 * 1024
    /// Calls in progress on one connection.
    public static let maximumConcurrentStreams = 1_024
}

/// What is started with settings.
public enum Executable: String, Sendable, CaseIterable, CustomStringConvertible {
    case server = "chunkflow server"
    case distributor
    case storage

    public var description: String { rawValue }
}

public import ErasureCoding

/// How files are stored that ask for nothing.
public enum StorageClassChoice: Hashable, Sendable {
    /// By the number of storage nodes.
    case automatic
    case fixed(StorageClass)
}

import Synchronization

/// A coder for every code that was asked for, made once. Safe to use from any thread.
public final class ErasureCoders: Sendable {
    private let coders = Mutex<[ErasureCode: ErasureCoder]>([:])

    public init() {}

    public func coder(for code: ErasureCode) -> ErasureCoder {
        coders.withLock { coders in
            if let coder = coders[code] { return coder }
            let coder = ErasureCoder(code)
            coders[code] = coder
            return coder
        }
    }
}

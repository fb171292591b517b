import Synchronization

/// Randomness as the store sees it: the system's, or a simulator's seeded one.
public protocol RandomSource: Sendable {
    /// 64 fresh bits. Safe to call from any thread.
    func next() -> UInt64
}

/// The operating system's generator, fit for identifiers that must not be guessed.
public struct SystemRandom: RandomSource {
    public init() {}
    public func next() -> UInt64 {
        var generator = SystemRandomNumberGenerator()
        return generator.next()
    }
}

/// SplitMix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number generators", 2014): equal seeds give equal sequences.
public final class SeededRandom: RandomSource {
    private let state: Mutex<UInt64>

    public init(seed: UInt64) { state = Mutex(seed) }

    public func next() -> UInt64 {
        state.withLock { state in
            state &+= 0x9E37_79B9_7F4A_7C15
            return mix64(state)
        }
    }

    /// A number drawn evenly from `range`.
    public func next(in range: Range<Int>) -> Int {
        precondition(!range.isEmpty)
        return range.lowerBound + Int(next() % UInt64(range.count))
    }
}

/// The finaliser of SplitMix64: every input bit reaches every output bit.
@inlinable
public func mix64(_ value: UInt64) -> UInt64 {
    var z = value
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
}

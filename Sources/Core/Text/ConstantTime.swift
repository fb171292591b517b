/// Whether what somebody showed is the secret. Takes the same time wherever the two differ, so that a secret cannot be found byte by byte.
public func isSameSecret(_ given: some StringProtocol, _ expected: [UInt8]) -> Bool {
    var difference = given.utf8.count ^ expected.count
    for (index, byte) in given.utf8.enumerated() { difference |= Int(byte ^ (index < expected.count ? expected[index] : 0)) }
    return difference == 0
}

internal import Core
internal import Crypto
internal import FoundationEssentials

/// What a signature is valid for: a day, a region, a service ("AWS Signature Version 4 signing process", step 2).
public struct CredentialScope: Hashable, Sendable {
    /// Eight digits: `20260102`.
    public let date: String
    public let region: String
    public let service: String

    public init(date: String, region: String, service: String) {
        self.date = date
        self.region = region
        self.service = service
    }

    public var text: String { "\(date)/\(region)/\(service)/aws4_request" }
}

/// A secret, made fit for one scope. It signs, and so it checks signatures.
public struct SigningKey: Sendable {
    private let key: SymmetricKey

    public init(secret: String, scope: CredentialScope) {
        var key = SymmetricKey(data: Array("AWS4\(secret)".utf8))
        for part in [scope.date, scope.region, scope.service, "aws4_request"] {
            key = SymmetricKey(data: HMAC<SHA256>.authenticationCode(for: Array(part.utf8), using: key))
        }
        self.key = key
    }

    /// Lower-case hexadecimal, 64 digits.
    public func signature(of text: String) -> String {
        hexadecimal(HMAC<SHA256>.authenticationCode(for: Array(text.utf8), using: key))
    }

    /// Whether `signature` is that of `text`. Takes the same time wherever the two differ.
    public func isSignature(_ signature: String, of text: String) -> Bool {
        isEqualInConstantTime(Array(signature.utf8), Array(self.signature(of: text).utf8))
    }
}

/// Whether two byte strings are equal, found out in a time that does not depend on where they differ.
public func isEqualInConstantTime(_ given: [UInt8], _ expected: [UInt8]) -> Bool {
    var difference = given.count ^ expected.count
    for (index, byte) in given.enumerated() { difference |= Int(byte ^ (index < expected.count ? expected[index] : 0)) }
    return difference == 0
}

/// SHA-256 of bytes that are there already, as lower-case hexadecimal.
public func sha256Text(_ bytes: some Sequence<UInt8>) -> String { hexadecimal(SHA256.hash(data: Array(bytes))) }

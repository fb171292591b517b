internal import SignatureV4

/// `ACCESSKEY/20260102/REGION/s3/aws4_request`. An access key may have slashes of its own.
struct Credential: Equatable {
    let accessKey: String
    let scope: CredentialScope

    init?(_ text: String) {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count >= 5, parts[parts.count - 1] == "aws4_request" else { return nil }
        let date = parts[parts.count - 4]
        guard date.utf8.count == 8, date.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else { return nil }
        accessKey = parts.dropLast(4).joined(separator: "/")
        guard !accessKey.isEmpty else { return nil }
        scope = CredentialScope(date: String(date), region: String(parts[parts.count - 3]), service: String(parts[parts.count - 2]))
    }
}

/// The field `Authorization`, and what a presigned URL has instead of it.
struct Authorization: Equatable {
    static let algorithm = "AWS4-HMAC-SHA256"

    let credential: Credential
    /// Lower-case names.
    let signedHeaders: [String]
    let signature: String

    init(credential: Credential, signedHeaders: String, signature: String) {
        self.credential = credential
        self.signedHeaders = signedHeaders.lowercased().split(separator: ";").map(String.init)
        self.signature = signature
    }

    /// - Throws: ``S3Error`` `InvalidRequest` for another algorithm, `AuthorizationHeaderMalformed` for what cannot be read.
    init(field: String) throws(S3Error) {
        guard field.hasPrefix(Self.algorithm) else {
            throw S3Error(.invalidRequest, "The only way of signing that is understood is \(Self.algorithm)")
        }
        var values: [Substring: Substring] = [:]
        for part in field.dropFirst(Self.algorithm.count).split(whereSeparator: { $0 == "," || $0 == " " || $0 == "\t" }) {
            guard let mark = part.firstIndex(of: "=") else { continue }
            values[part[..<mark]] = part[part.index(after: mark)...]
        }
        guard let text = values["Credential"], let credential = Credential(String(text)), let signed = values["SignedHeaders"],
            let signature = values["Signature"]
        else { throw S3Error(.authorizationHeaderMalformed, "The Authorization needs Credential, SignedHeaders and Signature") }
        self.init(credential: credential, signedHeaders: String(signed), signature: String(signature))
    }
}

internal import SignatureV4

/// `ACCESSKEY/20260102/REGION/s3/aws4_request`. An access key may have slashes of its own.
struct Credential: Equatable {
    let accessKey: String
    let scope: CredentialScope

    init?(_ text: String) {
        // Byte by byte: every request has one.
        let parts = text.utf8.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
        guard parts.count >= 5, parts[parts.count - 1].elementsEqual("aws4_request".utf8) else { return nil }
        let date = parts[parts.count - 4]
        guard date.count == 8, date.allSatisfy({ (0x30...0x39).contains($0) }) else { return nil }
        accessKey = String(Substring(text.utf8[..<parts[parts.count - 5].endIndex]))
        guard !accessKey.isEmpty else { return nil }
        scope = CredentialScope(
            date: String(Substring(date)), region: String(Substring(parts[parts.count - 3])),
            service: String(Substring(parts[parts.count - 2])))
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
        let isLowercase = !signedHeaders.utf8.contains { (0x41...0x5A).contains($0) || $0 > 0x7F }
        self.signedHeaders = (isLowercase ? signedHeaders : signedHeaders.lowercased()).utf8.split(separator: UInt8(ascii: ";"))
            .map { String(Substring($0)) }
        self.signature = signature
    }

    /// - Throws: ``S3Error`` `InvalidRequest` for another algorithm, `AuthorizationHeaderMalformed` for what cannot be read.
    init(field: String) throws(S3Error) {
        guard field.hasPrefix(Self.algorithm) else {
            throw S3Error(.invalidRequest, "The only way of signing that is understood is \(Self.algorithm)")
        }
        var text: String?
        var signed: String?
        var signature: String?
        let isSeparator = { (byte: UInt8) in byte == UInt8(ascii: ",") || byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t") }
        for part in field.utf8.dropFirst(Self.algorithm.utf8.count).split(whereSeparator: isSeparator) {
            guard let mark = part.firstIndex(of: UInt8(ascii: "=")) else { continue }
            let value = String(Substring(part[part.index(after: mark)...]))
            switch part.distance(from: part.startIndex, to: mark) {
            case 10 where part.starts(with: "Credential".utf8): text = value
            case 13 where part.starts(with: "SignedHeaders".utf8): signed = value
            case 9 where part.starts(with: "Signature".utf8): signature = value
            default: break
            }
        }
        guard let credential = text.flatMap(Credential.init), let signed, let signature
        else { throw S3Error(.authorizationHeaderMalformed, "The Authorization needs Credential, SignedHeaders and Signature") }
        self.init(credential: credential, signedHeaders: signed, signature: signature)
    }
}

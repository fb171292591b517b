/// Signs requests, for clients.
public struct RequestSigner: Sendable {
    private let accessKey: String
    private let secretKey: String

    public init(accessKey: String, secretKey: String) {
        self.accessKey = accessKey
        self.secretKey = secretKey
    }

    /// The fields that a request must be sent with, beside its `Host`.
    /// - Parameters:
    ///   - path: percent-decoded.
    ///   - host: as the field `Host` has it.
    ///   - time: `20260102T030405Z`
    public func fields(
        method: String, path: String, host: String, body: [UInt8], time: String, region: String = "us-east-1"
    ) -> [(name: String, value: String)] {
        let scope = CredentialScope(date: String(time.prefix(8)), region: region, service: "s3")
        let payload = sha256Text(body)
        let request = CanonicalRequest(
            method: method, path: Array(path.utf8), query: [],
            headers: [("host", [host]), ("x-amz-content-sha256", [payload]), ("x-amz-date", [time])], payload: payload)
        let signature = SigningKey(secret: secretKey, scope: scope).signature(of: request.stringToSign(time: time, scope: scope))
        return [
            ("x-amz-date", time), ("x-amz-content-sha256", payload),
            (
                "Authorization",
                "AWS4-HMAC-SHA256 Credential=\(accessKey)/\(scope.text), SignedHeaders=\(request.signedHeaders), Signature=\(signature)"
            ),
        ]
    }
}

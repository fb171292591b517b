internal import HTTPEdge
internal import SignatureV4

/// Who sends a form: its policy is what is signed.
extension Authenticator {
    /// - Returns: the policy, too; nil for a form that nobody signed.
    /// - Throws: ``S3Error`` `InvalidArgument` for fields that are missing, and as ``authenticate(_:query:bucketInHost:)``.
    func authenticate(_ form: PostForm) async throws -> (Identity, PostPolicy?) {
        guard let text = form["policy"] else { return (.anonymous, nil) }
        let isVersion4 = ["x-amz-algorithm", "x-amz-credential", "x-amz-signature"].contains { form[$0] != nil }
        let identity = try await isVersion4 ? signerV4(of: text, form) : signerV2(of: text, form)
        return (identity, try PostPolicy(text))
    }

    private func signerV2(of policy: String, _ form: PostForm) async throws -> Identity {
        let accessKey = try Self.field("AWSAccessKeyId", of: form)
        let signature = try Self.field("signature", of: form)
        let (identity, secret) = try await find(accessKey)
        guard SignatureV2(secret: secret).isSignature(signature, of: policy) else { throw S3Error(.signatureDoesNotMatch) }
        return identity
    }

    private func signerV4(of policy: String, _ form: PostForm) async throws -> Identity {
        guard try Self.field("x-amz-algorithm", of: form) == Authorization.algorithm else {
            throw S3Error(.invalidArgument, "The X-Amz-Algorithm must be \(Authorization.algorithm)")
        }
        let text = try Self.field("x-amz-credential", of: form)
        let signature = try Self.field("x-amz-signature", of: form)
        guard let time = SigningTime(compact: try Self.field("x-amz-date", of: form)), let credential = Credential(text),
            credential.scope.service == "s3", credential.scope.date == time.date
        else { throw S3Error(.invalidArgument, "The scope of the credential is not that of this form") }
        let (identity, secret) = try await find(credential.accessKey)
        guard SigningKey(secret: secret, scope: credential.scope).isSignature(signature, of: policy) else {
            throw S3Error(.signatureDoesNotMatch)
        }
        return identity
    }

    private static func field(_ name: String, of form: PostForm) throws(S3Error) -> String {
        guard let value = form[name.lowercased()] else {
            throw S3Error(
                .invalidArgument,
                "Bucket POST must contain a field named '\(name)'. If it is specified, please check the order of the fields.")
        }
        return value
    }
}

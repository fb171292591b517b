internal import Metadata

/// Policies that have been taken apart.
final class PolicyCache: Sendable {
    private let policies = DocumentCache<BucketPolicy>()

    /// - Parameter kept: as the bucket keeps it.
    /// - Throws: ``S3Error`` `InternalError` for one that cannot be read: nobody must come in because a refusal is lost.
    func policy(_ kept: String, of bucket: BucketRecord) throws(S3Error) -> BucketPolicy {
        try policies.document(kept, of: bucket) { kept throws(S3Error) in
            let (text, excludesOwner) = BucketPolicy.given(kept)
            do throws(S3Error) {
                return BucketPolicy(policy: try Policy(text, bucket: bucket.name), excludesOwner: excludesOwner)
            } catch {
                throw S3Error(.internalError, "The policy of the bucket cannot be read: \(error.message)")
            }
        }
    }
}

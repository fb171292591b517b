internal import Core
internal import Metadata
import Synchronization

/// Policies that have been taken apart, by bucket. One that was changed has another text.
final class PolicyCache: Sendable {
    private static let maximumPolicies = 1_000

    private let policies = Mutex<[BucketID: (kept: String, policy: BucketPolicy)]>([:])

    /// - Parameter kept: as the bucket keeps it.
    /// - Throws: ``S3Error`` `InternalError` for one that cannot be read: nobody must come in because a refusal is lost.
    func policy(_ kept: String, of bucket: BucketRecord) throws(S3Error) -> BucketPolicy {
        if let known = policies.withLock({ $0[bucket.id] }), known.kept == kept { return known.policy }
        let (text, excludesOwner) = BucketPolicy.given(kept)
        let parsed: Policy
        do {
            parsed = try Policy(text, bucket: bucket.name)
        } catch {
            throw S3Error(.internalError, "The policy of the bucket cannot be read: \(error.message)")
        }
        let policy = BucketPolicy(policy: parsed, excludesOwner: excludesOwner)
        policies.withLock { policies in
            // Which one goes does not matter: it is taken apart again when it is needed.
            if policies.count >= Self.maximumPolicies, policies[bucket.id] == nil, let one = policies.keys.first { policies[one] = nil }
            policies[bucket.id] = (kept, policy)
        }
        return policy
    }
}

public import Metadata

/// What is known of an object before its bytes.
public struct ObjectDescription: Sendable {
    public let bucket: BucketRecord
    public let key: String
    public let contentType: String
    /// As ``ObjectRecord/userMetadata``.
    public let userMetadata: [String: String]
    public let attributes: ObjectAttributes
    /// What must hold of what the key holds when the object becomes visible.
    public let condition: WriteCondition

    public init(
        bucket: BucketRecord, key: String, contentType: String, userMetadata: [String: String], attributes: ObjectAttributes,
        condition: WriteCondition = .none
    ) {
        self.bucket = bucket
        self.key = key
        self.contentType = contentType
        self.userMetadata = userMetadata
        self.attributes = attributes
        self.condition = condition
    }
}

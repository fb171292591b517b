internal import Metadata
import Synchronization

/// Documents of buckets that have been taken apart, by bucket. One that was changed has another text. Safe to use from any thread.
final class DocumentCache<Document: Sendable>: Sendable {
    private static var maximumDocuments: Int { 1_000 }

    private let documents = Mutex<[BucketID: (kept: String, document: Document)]>([:])

    /// - Parameters:
    ///   - kept: as the bucket keeps it.
    ///   - parse: takes it apart.
    /// - Throws: what `parse` throws.
    func document<Failure>(
        _ kept: String, of bucket: BucketRecord, parse: (String) throws(Failure) -> Document
    ) throws(Failure) -> Document {
        if let known = documents.withLock({ $0[bucket.id] }), known.kept == kept { return known.document }
        let document = try parse(kept)
        documents.withLock { documents in
            // Which one goes does not matter: it is taken apart again when it is needed.
            if documents.count >= Self.maximumDocuments, documents[bucket.id] == nil, let one = documents.keys.first {
                documents[one] = nil
            }
            documents[bucket.id] = (kept, document)
        }
        return document
    }
}

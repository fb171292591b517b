internal import Core
internal import Metadata
internal import NIOCore
internal import ObjectStore

/// How the bytes of one object are encrypted, with the key to do it.
struct ObjectCipher: Sendable {
    /// What is kept of it with the object.
    let encryption: ObjectAttributes.Encryption
    let key: DataKey

    /// The number of the part that each blob is; 0 for what is none.
    /// - Returns: none when it is not known, which no object has.
    func partNumbers(blobCount: Int) -> [Int] {
        guard let parts = encryption.parts else { return [0] }
        return PartRuns.numbers(parts, maximum: blobCount) ?? []
    }

    /// Encrypts a body on its way in.
    /// - Parameters:
    ///   - part: the number of the part that it is; 0 when it is none.
    ///   - algorithms: what is digested of the plain bytes beside MD5 and CRC-32C.
    func sealing<Body: AsyncSequence & Sendable>(
        _ body: Body, part: Int, algorithms: Set<ChecksumAlgorithm>, executor: any BlockingExecutor
    ) -> SealedBody<Body> where Body.Element == ByteBuffer {
        SealedBody(body, by: SegmentSealer(key, part: part, algorithms: algorithms), executor: executor)
    }

    /// What has been stored, told by the digest of its plain bytes.
    func accepted(_ digest: ContentDigest, checksum: ObjectAttributes.Checksum?) -> AcceptedContent {
        let md5 = digest.md5Bytes()
        // AWS promises the MD5 for SSE-S3 alone; of what only the holder of a key may know it would tell too much.
        let etag = encryption.mode == .managed ? hexadecimal(md5) : key.entityTag(md5: md5)
        return AcceptedContent(byteCount: digest.byteCount, etag: etag, checksum: checksum)
    }
}

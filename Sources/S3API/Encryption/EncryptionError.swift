internal import Metadata

/// Why bytes cannot be encrypted or decrypted. None says anything of a key but its name.
enum EncryptionError: Error, Hashable, CustomStringConvertible {
    /// The key file has no key of that name. Who looks after the server can help.
    case noSuchKey(String)
    /// The key that wrapped the data key of an object is not here, but one of its name is; or the object's row was altered.
    case wrongKey(String)
    /// The key that wraps data keys for SSE-S3 is lost.
    case masterKeyMissing(detail: String)
    /// What is stored is not what was encrypted. No retry can help.
    case damaged(blob: BlobName, segment: Int64?)

    typealias BlobName = String

    var description: String {
        switch self {
        case .noSuchKey(let name): "the key file (kms-keys-file) has no key \(name)"
        case .wrongKey(let name): "the key \(name) is not the one with which the object was encrypted, or the object's metadata are damaged"
        case .masterKeyMissing(let detail): "the master key of SSE-S3 is missing: \(detail)"
        case .damaged(let blob, let segment):
            "encrypted bytes fail their authentication: blob \(blob)\(segment.map { ", segment \($0)" } ?? "")"
        }
    }
}

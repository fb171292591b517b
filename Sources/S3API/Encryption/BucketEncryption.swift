internal import FoundationEssentials
internal import Metadata
internal import NIOCore

/// How the objects of a bucket are encrypted that say nothing of it: what `?encryption` is about. Kept as JSON.
struct BucketEncryption: Codable, Hashable {
    let algorithm: String
    var keyName: String?
    /// Kept and given back; data keys are wrapped one by one all the same, which costs nothing here.
    var isBucketKeyEnabled: Bool?

    /// - Throws: ``S3Error`` `MalformedXML`, `InvalidArgument`, `NotImplemented`.
    init(_ configuration: XMLElement) throws(S3Error) {
        let rules = configuration.all("Rule")
        guard rules.count == 1, let rule = rules.first, let byDefault = rule["ApplyServerSideEncryptionByDefault"],
            let algorithm = byDefault.value("SSEAlgorithm")
        else { throw S3Error(.malformedXML) }
        self.algorithm = algorithm
        keyName = byDefault.value("KMSMasterKeyID").flatMap { $0.isEmpty ? nil : $0 }
        switch rule.value("BucketKeyEnabled") {
        case nil: isBucketKeyEnabled = nil
        case "true": isBucketKeyEnabled = true
        case "false": isBucketKeyEnabled = false
        default: throw S3Error(.malformedXML)
        }
        let blocked = rule["BlockedEncryptionTypes"]?.all("EncryptionType").map(\.trimmed) ?? []
        guard blocked.allSatisfy({ $0 == "NONE" }) else { throw S3Error(.notImplemented, "BlockedEncryptionTypes is not implemented") }
        _ = try EncryptionRequest(algorithm: algorithm, keyName: keyName)
    }

    /// - Returns: nil for a bucket that has none.
    init?(_ bucket: BucketDescription) throws {
        guard let text = bucket.documents[.encryption] else { return nil }
        self = try JSONDecoder().decode(Self.self, from: Data(text.utf8))
    }

    var request: EncryptionRequest { get throws(S3Error) { try EncryptionRequest(algorithm: algorithm, keyName: keyName) } }

    func text() throws -> String { String(decoding: try JSONEncoder().encode(self), as: UTF8.self) }

    func document() -> ByteBuffer {
        XMLWriter.document("ServerSideEncryptionConfiguration") { writer in
            writer.element("Rule") { writer in
                writer.element("ApplyServerSideEncryptionByDefault") { writer in
                    writer.element("SSEAlgorithm", algorithm)
                    writer.optional("KMSMasterKeyID", keyName)
                }
                writer.element("BucketKeyEnabled", isBucketKeyEnabled ?? false)
            }
        }
    }
}

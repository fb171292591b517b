internal import Core
internal import Crypto
internal import FoundationEssentials
internal import Metadata
internal import NIOCore
internal import NIOHTTP1

/// The checksum of an object that is made of parts ("Checking object integrity" in the S3 user guide).
enum PartChecksums {
    /// What CreateMultipartUpload asks for; its value is empty still.
    /// - Throws: ``S3Error`` `InvalidRequest`.
    static func wanted(_ headers: HTTPHeaders) throws(S3Error) -> ObjectAttributes.Checksum? {
        let kindText = headers.first(name: "x-amz-checksum-type")?.uppercased()
        guard let name = headers.first(name: "x-amz-checksum-algorithm") else {
            guard kindText == nil else {
                throw S3Error(.invalidRequest, "The x-amz-checksum-type header can only be used with the x-amz-checksum-algorithm header.")
            }
            return nil
        }
        guard let algorithm = ChecksumAlgorithm(rawValue: name.uppercased()) else {
            throw S3Error(.invalidRequest, "Checksum algorithm provided is unsupported.")
        }
        let kind: ObjectAttributes.Checksum.Kind
        switch kindText {
        case nil: kind = algorithm == .crc64nvme ? .fullObject : .composite
        case "COMPOSITE" where algorithm != .crc64nvme: kind = .composite
        case "FULL_OBJECT" where algorithm.isLinear: kind = .fullObject
        default:
            throw S3Error(
                .invalidRequest, "The \(kindText ?? "") checksum type cannot be used with the \(algorithm.rawValue) checksum algorithm.")
        }
        return ObjectAttributes.Checksum(algorithm: algorithm.rawValue, value: "", kind: kind)
    }

    /// The checksum of the whole.
    /// - Returns: nil when a part has none.
    static func combine(_ parts: [PartRecord], as wanted: ObjectAttributes.Checksum) -> ObjectAttributes.Checksum? {
        guard let algorithm = ChecksumAlgorithm(rawValue: wanted.algorithm) else { return nil }
        var values: [[UInt8]] = []
        for part in parts {
            guard let bytes = part.checksum.flatMap({ Data(base64Encoded: $0) }) else { return nil }
            values.append(Array(bytes))
        }
        let text: String
        switch wanted.kind {
        case .composite: text = base64(digest(values.flatMap { $0 }, algorithm)) + "-\(parts.count)"
        case .fullObject:
            guard var whole = values.first else { return nil }
            for (value, part) in zip(values, parts).dropFirst() {
                guard let next = CRCCombination.combine(algorithm, whole, value, byteCount: part.byteCount) else { return nil }
                whole = next
            }
            text = base64(whole)
        }
        return ObjectAttributes.Checksum(algorithm: wanted.algorithm, value: text, kind: wanted.kind)
    }

    /// The entity tag of the whole: the MD5 of the parts' MD5s, and how many they are.
    static func etag(_ parts: [PartRecord]) -> String {
        var md5 = Insecure.MD5()
        for part in parts { md5.update(data: bytes(hexadecimal: part.etag)) }
        return "\(hexadecimal(md5.finalize()))-\(parts.count)"
    }

    private static func digest(_ bytes: [UInt8], _ algorithm: ChecksumAlgorithm) -> [UInt8] {
        var digest = ContentDigest(algorithms: [algorithm])
        digest.update(.init(bytes: bytes))
        return digest.value(of: algorithm) ?? []
    }

    private static func bytes(hexadecimal text: String) -> [UInt8] {
        let digits = Array(text.utf8)
        return stride(from: 0, to: digits.count - 1, by: 2).compactMap {
            UInt8(String(decoding: digits[$0...$0 + 1], as: UTF8.self), radix: 16)
        }
    }
}

func base64(_ bytes: [UInt8]) -> String { Data(bytes).base64EncodedString() }

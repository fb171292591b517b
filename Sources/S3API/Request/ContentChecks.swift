internal import Core
internal import FoundationEssentials
internal import HTTPEdge
internal import Metadata
internal import NIOHTTP1

/// What a request promises of its body: digests in its header, or in the fields behind the body.
struct ContentChecks: Sendable {
    private static let headerPrefix = "x-amz-checksum-"

    /// 16 bytes.
    private let md5: [UInt8]?
    /// The hash that the signature covers.
    private let sha256: String?
    /// The checksum that is kept with the object; its value is nil while it is to come behind the body, or is only asked for.
    let checksum: (algorithm: ChecksumAlgorithm, value: [UInt8]?, isPromised: Bool)?

    /// - Throws: ``S3Error`` `InvalidDigest`, `BadDigest`, `InvalidRequest`.
    init(_ headers: HTTPHeaders, payload: Payload) throws(S3Error) {
        if let text = headers.first(name: "content-md5") {
            guard let bytes = Data(base64Encoded: text), bytes.count == 16 else { throw S3Error(.invalidDigest) }
            md5 = Array(bytes)
        } else {
            md5 = nil
        }
        if case .hashed(let hash) = payload { sha256 = hash } else { sha256 = nil }
        checksum = try Self.checksum(headers)
    }

    private static func checksum(
        _ headers: HTTPHeaders
    ) throws(S3Error) -> (algorithm: ChecksumAlgorithm, value: [UInt8]?, isPromised: Bool)? {
        var found: (algorithm: ChecksumAlgorithm, value: [UInt8]?, isPromised: Bool)?
        for algorithm in ChecksumAlgorithm.allCases {
            guard let text = headers.first(name: headerPrefix + algorithm.rawValue.lowercased()) else { continue }
            guard found == nil else { throw S3Error(.invalidRequest, "Expecting a single x-amz-checksum- header") }
            guard let bytes = Data(base64Encoded: text), bytes.count == algorithm.byteCount else {
                throw S3Error(.badDigest, "Value for \(headerPrefix)\(algorithm.rawValue.lowercased()) header is invalid")
            }
            found = (algorithm, Array(bytes), true)
        }
        if let found { return found }
        if let name = headers.first(name: "x-amz-trailer")?.trimmingBlanks().lowercased(), name.hasPrefix(headerPrefix) {
            guard let algorithm = ChecksumAlgorithm(rawValue: name.dropFirst(headerPrefix.count).uppercased()) else {
                throw S3Error(.invalidRequest, "The x-amz-trailer names no checksum that is known")
            }
            return (algorithm, nil, true)
        }
        guard let name = headers.first(name: "x-amz-sdk-checksum-algorithm") ?? headers.first(name: "x-amz-checksum-algorithm") else {
            return nil
        }
        guard let algorithm = ChecksumAlgorithm(rawValue: name.uppercased()) else {
            throw S3Error(.invalidRequest, "The checksum algorithm is not known: CRC32, CRC32C, CRC64NVME, SHA1 and SHA256 are")
        }
        return (algorithm, nil, false)
    }

    /// What must be computed while the body arrives.
    var algorithms: Set<ChecksumAlgorithm> {
        var algorithms: Set<ChecksumAlgorithm> = sha256 == nil ? [] : [.sha256]
        if let checksum { algorithms.insert(checksum.algorithm) }
        return algorithms
    }

    /// Holds the promises against what arrived.
    /// - Parameter trailer: fields behind the body, by lower-case name.
    /// - Returns: the checksum to keep with the object; nil when none was asked for.
    /// - Throws: ``S3Error`` `BadDigest`, `XAmzContentSHA256Mismatch`, `InvalidRequest`.
    func verify(_ digest: ContentDigest, trailer: [String: String]) throws(S3Error) -> ObjectAttributes.Checksum? {
        if let sha256, let computed = digest.value(of: .sha256), hexadecimal(computed) != sha256 {
            throw S3Error(.xAmzContentSHA256Mismatch)
        }
        if let md5, digest.md5Bytes() != md5 { throw S3Error(.badDigest) }
        guard let checksum, let computed = digest.value(of: checksum.algorithm) else { return nil }
        if checksum.isPromised {
            guard let expected = checksum.value ?? trailing(checksum.algorithm, trailer) else {
                throw S3Error(.invalidRequest, "The checksum that x-amz-trailer announces did not come behind the body")
            }
            guard expected == computed else {
                throw S3Error(.badDigest, "The \(checksum.algorithm.rawValue) you specified did not match the calculated checksum.")
            }
        }
        return ObjectAttributes.Checksum(
            algorithm: checksum.algorithm.rawValue, value: Data(computed).base64EncodedString(), kind: .fullObject)
    }

    private func trailing(_ algorithm: ChecksumAlgorithm, _ trailer: [String: String]) -> [UInt8]? {
        trailer[Self.headerPrefix + algorithm.rawValue.lowercased()].flatMap { Data(base64Encoded: $0) }.map { Array($0) }
    }
}

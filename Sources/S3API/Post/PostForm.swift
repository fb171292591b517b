internal import HTTPEdge
internal import NIOCore

/// The fields of a form that come before its file ("POST object" in the S3 API reference). What comes behind the file means nothing.
struct PostForm: Hashable {
    /// Bytes of all names and values.
    static let maximumBytes = 20 * 1_024
    /// Bytes of the name of the file: it can be part of the key.
    static let maximumFileNameBytes = Address.maximumKeyBytes

    /// By lower-case name.
    let fields: [String: String]

    subscript(name: String) -> String? { fields[name] }

    private var byteCount: Int { fields.reduce(0) { $0 + $1.key.utf8.count + $1.value.utf8.count } }

    private static let tooLong = S3Error(
        .maxPostPreDataLengthExceeded, "The fields before the file have at most \(maximumBytes) bytes")

    /// - Parameters:
    ///   - fields: by lower-case name.
    ///   - fileName: what the client says that the file is called; its last part takes the place of `${filename}` in values.
    init(fields: [String: String], fileName: String?) {
        let name = (fileName ?? "").split(whereSeparator: { $0 == "/" || $0 == "\\" }).last.map(String.init) ?? ""
        // What is signed, and what signs it, stays as it is.
        self.fields = Dictionary(
            uniqueKeysWithValues: fields.map { field, value in
                (field, field == "policy" || field.hasSuffix("signature") ? value : value.replacing("${filename}", with: name))
            })
    }

    /// Reads up to the file, whose content is what the reader gives next.
    /// - Throws: ``S3Error`` `MaxPostPreDataLengthExceededError`, `InvalidArgument`, `MalformedPOSTRequest`.
    static func read(from reader: MultipartReader) async throws -> PostForm {
        var fields: [String: String] = [:]
        var byteCount = 0
        while let part = try await reader.nextPart() {
            let name = part.name.lowercased()
            if name == "file" {
                guard part.fileName?.utf8.count ?? 0 <= maximumFileNameBytes else { throw S3Error(.keyTooLong) }
                let form = PostForm(fields: fields, fileName: part.fileName)
                // The file's name may stand in many values.
                guard form.byteCount <= maximumBytes else { throw tooLong }
                return form
            }
            var value = ByteBuffer()
            byteCount += name.utf8.count
            guard byteCount <= maximumBytes else { throw tooLong }
            while var bytes = try await reader.nextBytes() {
                byteCount += bytes.readableBytes
                guard byteCount <= maximumBytes else { throw tooLong }
                value.writeBuffer(&bytes)
            }
            guard let text = String(validating: value.readableBytesView, as: UTF8.self) else {
                throw S3Error(.malformedPOSTRequest, "The field \(name) is not UTF-8")
            }
            // Of two, one would be held against the policy, and the other used.
            guard fields.updateValue(text, forKey: name) == nil else {
                throw S3Error(.malformedPOSTRequest, "There are two fields \(name)")
            }
        }
        throw S3Error(.invalidArgument, "POST requires exactly one file upload per request.")
    }
}

/// The content of a form's file, of so many bytes as the policy allows.
///
/// One reader, once.
struct PostBody: AsyncSequence, Sendable {
    let content: PartContent
    let limits: ClosedRange<Int64>

    struct AsyncIterator: AsyncIteratorProtocol {
        fileprivate var content: PartContent.AsyncIterator
        fileprivate let limits: ClosedRange<Int64>
        private var byteCount: Int64 = 0

        fileprivate init(content: PartContent.AsyncIterator, limits: ClosedRange<Int64>) {
            self.content = content
            self.limits = limits
        }

        /// - Throws: ``S3Error`` `EntityTooLarge`, `EntityTooSmall`; what the form throws.
        mutating func next() async throws -> ByteBuffer? {
            guard let bytes = try await content.next() else {
                guard byteCount >= limits.lowerBound else {
                    throw S3Error(.entityTooSmall, "Your upload is smaller than the policy allows")
                }
                return nil
            }
            byteCount += Int64(bytes.readableBytes)
            guard byteCount <= limits.upperBound else { throw S3Error(.entityTooLarge) }
            return bytes
        }
    }

    func makeAsyncIterator() -> AsyncIterator { AsyncIterator(content: content.makeAsyncIterator(), limits: limits) }
}

package import ArgumentParser

/// `chunkflow bucket ls`
package struct ListBucketsCommand: ClientCommand {
    package static let configuration = CommandConfiguration(
        commandName: "ls", abstract: "List all buckets with their storage class.",
        discussion: """
            A bucket without a class of its own follows the cluster's default. With --json one JSON object a line.

            \(ExitStatus.explanation)
            """)

    @OptionGroup var connection: ConnectionOptions

    package init() {}

    package func run() async throws { try await execute(console: .standard).exit() }

    package func execute(console: Console) async throws -> ExitStatus {
        try await connection.connected(console) { server in
            var buckets: [BucketDescription] = []
            var cursor: String?
            repeat {
                let after = cursor
                let page = try await connection.asking(console) { try await server.buckets(after: after) }
                guard page.nextCursor != after || after == nil else {
                    throw ClientError.unexpectedAnswer(detail: "the list does not go on after \(after ?? "")")
                }
                buckets += page.buckets
                cursor = page.nextCursor
            } while cursor != nil
            if connection.json {
                for bucket in buckets { console.print(json: .object(bucket.json)) }
            } else {
                let rows = buckets.map { [cell($0.name), cell($0.storageClass ?? "default"), $0.reencoding == nil ? "-" : "in progress"] }
                for line in textTable([["BUCKET", "CLASS", "STORING ANEW"]] + rows) { console.print(line) }
            }
            return .success
        }
    }
}

extension BucketDescription {
    /// The keys that scripts see: those of the server's own document.
    fileprivate var json: [(key: String, value: JSONValue)] {
        [
            ("name", .string(name)), ("storageClass", JSONValue(storageClass)),
            ("reencoding", reencoding.map { .object($0.json) } ?? .null),
        ]
    }
}

extension ReencodingDescription {
    fileprivate var json: [(key: String, value: JSONValue)] {
        [
            ("bucket", .string(bucket)), ("storageClass", .string(storageClass)), ("objectCount", .integer(objectCount)),
            ("examinedCount", .integer(examinedCount)), ("reencodedCount", .integer(reencodedCount)),
            ("reencodedBytes", .integer(reencodedBytes)), ("failedCount", .integer(failedCount)),
            ("bytesPerSecond", .integer(bytesPerSecond)),
        ]
    }
}

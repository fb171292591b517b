package import Core
internal import NIOCore

/// Brings one file here, over as many connections as it takes, and checks it.
package struct FileDownload: Sendable {
    /// Buffers (of at most 64 KiB) between network and disk.
    private static let queuedBuffers = 64

    package struct Outcome: Hashable, Sendable {
        package let file: FileDescription
        /// Bytes that were there from an earlier run and were used.
        package let resumedFrom: Int64
    }

    private let connection: ServerConnection
    private let sink: any DownloadSink
    private let executor: any BlockingExecutor
    private let note: @Sendable (String) -> Void

    package init(
        connection: ServerConnection, sink: any DownloadSink, executor: any BlockingExecutor, note: @escaping @Sendable (String) -> Void
    ) {
        self.connection = connection
        self.sink = sink
        self.executor = executor
        self.note = note
    }

    /// - Parameter makeProgress: asked once the file's size is known.
    /// - Throws: ``ClientError``; what arrived stays for a later run, unless it is wrong.
    package func run(
        fileID: String, retries: RetryPolicy, makeProgress: (FileDescription) -> TransferProgress
    ) async throws -> Outcome {
        var retries = retries
        let file = try await describe(fileID, &retries)
        let progress = makeProgress(file)
        defer { progress.end() }
        var check = try await prepared(for: file)
        let resumedFrom = check.byteCount
        progress.begin(at: resumedFrom)
        try await fetch(file, into: &check, &retries, progress)
        guard !check.isMatch else { return try await committed(file, resumedFrom: resumedFrom) }
        if resumedFrom > 0 {
            note("what was there of \(fileID) is damaged; beginning again")
            check = try await restarted(file)
            progress.begin(at: 0)
            try await fetch(file, into: &check, &retries, progress)
            if check.isMatch { return try await committed(file, resumedFrom: 0) }
        }
        try await executor.run { sink.discard() }
        throw ClientError.corrupt(detail: "what arrived of \(fileID) does not match its checksum; it was thrown away")
    }

    private func describe(_ fileID: String, _ retries: inout RetryPolicy) async throws -> FileDescription {
        while true {
            do {
                let file = try await connection.file(fileID)
                guard file.size >= 0 else { throw ClientError.unexpectedAnswer(detail: "a size of \(file.size)") }
                retries.progressed()
                return file
            } catch let error as ClientError { try await retries.wait(after: error, telling: note) }
        }
    }

    private func prepared(for file: FileDescription) async throws -> ContentCheck {
        try await executor.run {
            var check = try ContentCheck(of: file)
            try sink.prepare(for: file, check: &check)
            return check
        }
    }

    private func restarted(_ file: FileDescription) async throws -> ContentCheck {
        try await executor.run {
            try sink.restart()
            return try ContentCheck(of: file)
        }
    }

    private func committed(_ file: FileDescription, resumedFrom: Int64) async throws -> Outcome {
        try await executor.run { try sink.commit() }
        return Outcome(file: file, resumedFrom: resumedFrom)
    }

    /// Gets what is missing.
    private func fetch(
        _ file: FileDescription, into check: inout ContentCheck, _ retries: inout RetryPolicy, _ progress: TransferProgress
    ) async throws {
        while check.byteCount < file.size {
            let before = check.byteCount
            do {
                let stream = try await connection.download(file, from: before)
                if stream.offset != before {
                    check = try await restarted(file)
                    progress.begin(at: 0)
                }
                let (reached, failure) = await receive(stream, of: file, check, progress)
                check = reached
                if let failure { throw failure }
                guard check.byteCount == file.size else {
                    throw ClientError.connectionLost(detail: "it ended \(file.size - check.byteCount) bytes early")
                }
            } catch let error as ClientError {
                if check.byteCount > before { retries.progressed() }
                try await retries.wait(after: error, telling: note)
            }
        }
    }

    /// Writes while it receives. What arrived before a failure is written and counted.
    private func receive(
        _ stream: DownloadStream, of file: FileDescription, _ check: ContentCheck, _ progress: TransferProgress
    ) async -> (ContentCheck, (any Error)?) {
        let queue = BoundedQueue<ByteBuffer>(capacity: Self.queuedBuffers)
        async let written = write(queue, of: file, check, progress)
        var failure: (any Error)?
        do { try await stream.pump(into: queue) } catch { failure = error }
        let (reached, writeFailure) = await written
        return (reached, writeFailure ?? failure)
    }

    private func write(
        _ queue: BoundedQueue<ByteBuffer>, of file: FileDescription, _ check: ContentCheck, _ progress: TransferProgress
    ) async -> (ContentCheck, (any Error)?) {
        var reached = check
        do {
            while let buffer = try await queue.next() {
                let current = reached
                reached = try await executor.run {
                    var next = current
                    guard buffer.readableBytes <= file.size - next.byteCount else {
                        throw ClientError.unexpectedAnswer(detail: "more than the \(file.size) bytes of the file")
                    }
                    try sink.write(buffer, at: next.byteCount)
                    next.update(buffer)
                    return next
                }
                progress.update(reached.byteCount)
            }
            return (reached, nil)
        } catch {
            queue.cancel()
            return (reached, error)
        }
    }
}

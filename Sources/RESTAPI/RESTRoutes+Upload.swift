internal import Core
internal import ErasureCoding
internal import HTTPEdge
internal import Metadata
internal import NIOCore
internal import NIOHTTP1
internal import ObjectStore

extension RESTRoutes {
    /// `POST /upload`: a form with files, or one file as it is.
    func upload(_ request: HTTPRequest) async throws -> HTTPResponse {
        // All that can be refused is refused before the first read of the body, which is what lets the client send it.
        if let length = request.contentLength, length > limits.uploadBytes { throw Problem.uploadTooLarge(limit: limits.uploadBytes) }
        let contentType = request.headers.first(name: "content-type").map(HeaderText.trimmed).flatMap { $0.isEmpty ? nil : $0 }
        let storageClass = try storageClass(of: request)
        let body = LimitedBody(body: request.body, limit: limits.uploadBytes)
        if let contentType, contentType.lowercased().hasPrefix("multipart/form-data") {
            let boundary = try self.boundary(of: contentType)
            try store.checkWritable()
            let bytes = body.makeAsyncIterator()
            let form = MultipartReader(boundary: boundary) { try await bytes.next() }
            return try await uploadForm(form, storageClass: storageClass)
        }
        let description = UploadDescription(
            fileName: try rawFileName(of: request), contentType: try checked(contentType: contentType), storageClass: storageClass)
        try store.checkWritable()
        return try created(FileDocument(try await store.upload(description, body: body)))
    }

    private func storageClass(of request: HTTPRequest) throws -> StorageClass? {
        guard let text = try request.target.queryValue("storage-class") else { return nil }
        guard let storageClass = StorageClass(text) else {
            throw Problem(
                .badRequest, "unknown-storage-class", title: "There is no such storage class",
                detail: "accepted: replicated, replicated-1 to replicated-16, and ec-K-M such as ec-4-2")
        }
        return storageClass
    }

    // MARK: A file as it is

    private func rawFileName(of request: HTTPRequest) throws -> String? {
        if let name = try request.target.queryValue("name") { return try checked(fileName: name) }
        guard let disposition = request.headers.first(name: "content-disposition") else { return nil }
        guard let parsed = ParameterizedValue(disposition) else {
            throw Problem.malformedUpload(detail: "the Content-Disposition does not follow the grammar of the field")
        }
        return try checked(fileName: parsed.fileName())
    }

    // MARK: A form

    private func boundary(of contentType: String) throws -> String {
        guard let boundary = MultipartReader.boundary(of: contentType) else {
            throw Problem.malformedUpload(detail: "the Content-Type multipart/form-data needs a boundary of 1 to 70 characters")
        }
        return boundary
    }

    /// All or nothing: when the form turns out to be broken, or a file cannot be stored, those stored before go again.
    private func uploadForm(_ form: MultipartReader, storageClass: StorageClass?) async throws -> HTTPResponse {
        var files: [ObjectRecord] = []
        do {
            var ignoredBytes = 0
            while let part = try await form.nextPart() {
                if part.name == "file" {
                    guard files.count < limits.filesPerUpload else {
                        throw Problem(
                            .payloadTooLarge, "too-many-files", title: "The upload has too many files",
                            detail: "an upload has at most \(limits.filesPerUpload) files")
                    }
                    let description = UploadDescription(
                        fileName: try checked(fileName: part.fileName), contentType: try checked(contentType: part.contentType),
                        storageClass: storageClass)
                    files.append(try await store.upload(description, body: PartContent(reader: form)))
                } else {
                    while let bytes = try await form.nextBytes() {
                        ignoredBytes += bytes.readableBytes
                        guard ignoredBytes <= limits.ignoredFieldBytes else {
                            throw Problem(
                                .payloadTooLarge, "form-too-large", title: "The form's other fields are too large",
                                detail: "fields other than file have at most \(limits.ignoredFieldBytes) bytes together")
                        }
                    }
                }
            }
            guard !files.isEmpty else {
                throw Problem(
                    .badRequest, "no-file", title: "The upload has no file", detail: "no part of the form has the name file")
            }
        } catch {
            await remove(files)
            if let error = error as? MultipartParser.ParseError { throw Problem.malformedUpload(detail: error.detail) }
            throw error
        }
        return files.count == 1 ? try created(FileDocument(files[0])) : try created(files.map(FileDocument.init))
    }

    /// In a task that the cancellation of the request does not reach: its client has gone, the files must go all the same.
    private func remove(_ files: [ObjectRecord]) async {
        guard !files.isEmpty else { return }
        await Task { [store] in
            for file in files {
                guard let id = FileID(file.key) else { continue }
                _ = try? await store.deleteFile(id)
            }
        }.value
    }

    // MARK: Both

    private func created(_ file: FileDocument) throws -> HTTPResponse {
        try .json(file, status: .created, headers: ["Location": "/download/\(file.fileID)"])
    }

    /// Several files have no one place: `Location` names the first.
    private func created(_ files: [FileDocument]) throws -> HTTPResponse {
        try .json(FileListDocument(files: files), status: .created, headers: ["Location": "/download/\(files[0].fileID)"])
    }

    private func checked(fileName: String?) throws -> String? {
        guard let kept = fileName.flatMap(FileName.kept) else { return nil }
        guard kept.utf8.count <= FileName.maximumBytes else {
            throw Problem.malformedUpload(detail: "a file name has at most \(FileName.maximumBytes) bytes")
        }
        return kept
    }

    /// What is stored here is sent back as a header later.
    private func checked(contentType: String?) throws -> String {
        guard let contentType else { return "application/octet-stream" }
        let slash = contentType.prefix { $0 != ";" }.split(separator: "/", omittingEmptySubsequences: false)
        guard contentType.utf8.count <= limits.contentTypeBytes, contentType.utf8.allSatisfy({ (0x20...0x7E).contains($0) || $0 == 0x09 }),
            slash.count == 2, HeaderText.isToken(slash[0]), HeaderText.isToken(HeaderText.trimmed(slash[1]))
        else {
            throw Problem.malformedUpload(detail: "a content type has the form type/subtype and at most \(limits.contentTypeBytes) bytes")
        }
        return contentType
    }
}

extension Problem {
    static func malformedUpload(detail: String) -> Problem {
        Problem(.badRequest, "malformed-upload", title: "The upload is malformed", detail: detail)
    }
}

/// What the REST API takes from a client, beyond the limits of HTTP itself.
public struct RESTLimits: Sendable {
    /// Bytes of the body of one upload request. More is answered with 413.
    public var uploadBytes = Int64.max
    /// Files in one multipart upload. More is answered with 413.
    public var filesPerUpload = 1_000
    /// Bytes of form fields other than `file`, which are ignored, in one upload. More is answered with 413.
    public var ignoredFieldBytes = 1024 * 1024
    /// Bytes of a file's content type. More is answered with 400.
    public var contentTypeBytes = 255
    /// Files in a page of a listing, where the client asks for no number, and at most.
    public var defaultPageSize = 100
    public var maximumPageSize = 1_000

    public init() {}
}

/// The request of a client that the current task works for.
///
/// The edge sets it, and whatever runs in the request's tasks inherits it: so a line in the log, written far below where nobody knows of
/// requests, can be found by the id that the client was given.
public enum RequestScope {
    /// Nil for what no client asked for, such as repair.
    @TaskLocal public static var id: String?
}

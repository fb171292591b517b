public import HTTPEdge
internal import NIOHTTP1

/// `GET` and `PUT /log-level`: how much the process writes in its log, from now on until it ends.
public struct LogLevelRoutes: Sendable {
    private let levels: [String]
    private let current: @Sendable () -> String
    private let change: @Sendable (String) -> Void

    /// - Parameters:
    ///   - levels: those that there are.
    ///   - change: called with one of them.
    public init(levels: [String], current: @escaping @Sendable () -> String, change: @escaping @Sendable (String) -> Void) {
        self.levels = levels
        self.current = current
        self.change = change
    }

    public var routes: [Route] {
        [
            Route(.GET, "/log-level") { _, _ in try answer() },
            Route(.PUT, "/log-level") { request, _ in
                let level = try await AdministrationRoutes.body(request, as: LogLevelDocument.self).level
                guard levels.contains(level) else {
                    throw Problem(
                        .badRequest, "unknown-log-level", title: "There is no such log level",
                        detail: "level is one of \(levels.joined(separator: ", "))")
                }
                change(level)
                return try answer()
            },
        ]
    }

    private func answer() throws -> HTTPResponse {
        try .json(LogLevelDocument(level: current()), headers: ["Cache-Control": "no-store"])
    }
}

private struct LogLevelDocument: Codable {
    let level: String

    private enum CodingKeys: CodingKey, CaseIterable {
        case level
    }

    init(level: String) { self.level = level }

    init(from decoder: any Decoder) throws {
        level = try decoder.order(CodingKeys.self).decode(String.self, forKey: .level)
    }
}

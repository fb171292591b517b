internal import NIOCore
public import NIOHTTP1

/// A method and a path, and what answers them.
public struct Route: Sendable {
    public typealias Handler = @Sendable (HTTPRequest, PathParameters) async throws -> HTTPResponse

    public let method: HTTPMethod
    /// As written, for the access log.
    public let pattern: String
    let segments: [Segment]
    let handler: Handler

    enum Segment: Sendable {
        case literal(String)
        case parameter(String)
    }

    /// - Parameter pattern: for example `/files/{fileID}`; a part in braces stands for any one segment that is not empty.
    public init(_ method: HTTPMethod, _ pattern: String, handler: @escaping Handler) {
        precondition(pattern.hasPrefix("/"))
        self.method = method
        self.pattern = pattern
        self.handler = handler
        segments = pattern.dropFirst().split(separator: "/", omittingEmptySubsequences: false).map { part in
            part.hasPrefix("{") && part.hasSuffix("}") ? .parameter(String(part.dropFirst().dropLast())) : .literal(String(part))
        }
    }

    /// The same route, which asks `check` before anything else.
    /// - Parameter check: throws what is answered instead.
    public func checked(by check: @escaping @Sendable (HTTPRequest) throws -> Void) -> Route {
        Route(method, pattern) { [handler] request, parameters in
            try check(request)
            return try await handler(request, parameters)
        }
    }

    /// - Returns: nil when the path is not of this route.
    func match(_ path: [String]) -> PathParameters? {
        guard path.count == segments.count else { return nil }
        var parameters = PathParameters()
        for (segment, text) in zip(segments, path) {
            switch segment {
            case .literal(let literal): if literal != text { return nil }
            case .parameter(let name):
                if text.isEmpty { return nil }
                parameters.values.append((name, text))
            }
        }
        return parameters
    }
}

/// The segments that stood where a ``Route`` has braces, percent-decoded.
public struct PathParameters: Sendable {
    var values: [(name: String, value: String)] = []

    /// - Precondition: the route's pattern has `{name}`.
    public subscript(name: String) -> String {
        guard let value = values.first(where: { $0.name == name })?.value else {
            preconditionFailure("the route has no parameter \(name)")
        }
        return value
    }
}

/// Answers requests by the first route that matches, and errors with problem details.
public struct Router: HTTPResponder {
    private let routes: [Route]
    private let problem: @Sendable (any Error) -> Problem?

    /// - Parameter problem: the problem that stands for an error of the domain, nil for one that it does not know.
    ///   ``Problem`` and ``EdgeError`` are known already.
    public init(routes: [Route], problem: @escaping @Sendable (any Error) -> Problem?) {
        self.routes = routes
        self.problem = problem
    }

    public func respond(to request: HTTPRequest) async throws -> HTTPResponse {
        guard let path = request.target.segments else {
            throw EdgeError.malformedRequest(detail: "the path is not well percent-encoded")
        }
        var allowed: [String] = []
        for route in routes {
            guard let parameters = route.match(path) else { continue }
            guard route.method == request.method else {
                allowed.append(route.method.rawValue)
                continue
            }
            do {
                var response = try await route.handler(request, parameters)
                response.route = route.pattern
                return response
            } catch {
                throw RoutedError(route: route.pattern, error: error)
            }
        }
        throw allowed.isEmpty ? EdgeError.noSuchRoute : EdgeError.methodNotAllowed(allowed: allowed)
    }

    public func response(to error: any Error, for request: FailedRequest) -> HTTPResponse {
        if let routed = error as? RoutedError {
            var response = self.response(to: routed.error, for: request)
            response.route = routed.route
            return response
        }
        let problem =
            switch error {
            case let problem as Problem: problem
            case let error as EdgeError: Problem(error)
            default: self.problem(error) ?? .internalError
            }
        return problem.response(for: request)
    }
}

/// What a handler threw, and where.
struct RoutedError: Error, CustomStringConvertible {
    let route: String
    let error: any Error

    var description: String { "\(error)" }
}

internal import Foundation
internal import Traces
internal import Tracing

/// Spans as OpenTelemetry's collectors take them: OTLP 1.x, JSON.
package enum OTLPDocument {
    /// Characters that are kept of a text.
    private static let textLimit = 1_024

    /// - Parameter resource: what the spans are of: `service.name` and the like.
    package static func encode(_ spans: [FinishedSpan], resource: [(String, String)], scopeVersion: String) throws -> [UInt8] {
        let document = Request(resourceSpans: [
            ResourceSpans(
                resource: Resource(attributes: resource.map { Attribute(key: $0.0, value: Value(.string($0.1))) }),
                scopeSpans: [ScopeSpans(scope: Scope(name: "chunkflow", version: scopeVersion), spans: spans.map { SpanDocument($0) })])
        ])
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.withoutEscapingSlashes]
        return Array(try encoder.encode(document))
    }

    private struct Request: Encodable {
        let resourceSpans: [ResourceSpans]
    }

    private struct ResourceSpans: Encodable {
        let resource: Resource
        let scopeSpans: [ScopeSpans]
    }

    private struct Resource: Encodable {
        let attributes: [Attribute]
    }

    private struct ScopeSpans: Encodable {
        let scope: Scope
        let spans: [SpanDocument]
    }

    private struct Scope: Encodable {
        let name: String
        let version: String
    }

    private struct SpanDocument: Encodable {
        let traceId: String
        let spanId: String
        let parentSpanId: String?
        let traceState: String?
        let name: String
        let kind: Int
        let startTimeUnixNano: String
        let endTimeUnixNano: String
        let attributes: [Attribute]
        let events: [Event]
        let status: Status

        init(_ span: FinishedSpan) {
            traceId = span.context.traceID.text
            spanId = span.context.spanText
            let parent = TraceContext(traceID: span.context.traceID, spanID: span.parentSpanID, isSampled: true)
            parentSpanId = span.parentSpanID == 0 ? nil : parent.spanText
            traceState = span.context.state
            name = OTLPDocument.bounded(span.details.name)
            kind = OTLPDocument.number(of: span.kind)
            startTimeUnixNano = String(span.startedAt)
            endTimeUnixNano = String(span.endedAt)
            attributes = OTLPDocument.attributes(span.details.attributes)
            events = span.details.events.map(Event.init)
            status = Status(span.details)
        }
    }

    private struct Event: Encodable {
        let timeUnixNano: String
        let name: String
        let attributes: [Attribute]

        init(_ event: SpanEvent) {
            timeUnixNano = String(event.nanosecondsSinceEpoch)
            name = OTLPDocument.bounded(event.name)
            attributes = OTLPDocument.attributes(event.attributes)
        }
    }

    private struct Status: Encodable {
        /// 0 unset, 1 ok, 2 error.
        let code: Int
        let message: String?

        init(_ details: FinishedSpan.Details) {
            code =
                switch details.status?.code {
                case .ok: 1
                case .error: 2
                case nil: details.error == nil ? 0 : 2
                }
            message = (details.status?.message ?? details.error).map(OTLPDocument.bounded)
        }
    }

    private struct Attribute: Encodable {
        let key: String
        let value: Value
    }

    private struct Value: Encodable {
        private enum CodingKeys: CodingKey { case stringValue, intValue, doubleValue, boolValue }

        private let value: SpanAttribute

        init(_ value: SpanAttribute) { self.value = value }

        func encode(to encoder: any Encoder) throws {
            var container = encoder.container(keyedBy: CodingKeys.self)
            switch value {
            // In JSON, protobuf's 64-bit integers are strings.
            case .int32(let number): try container.encode(String(number), forKey: .intValue)
            case .int64(let number): try container.encode(String(number), forKey: .intValue)
            case .double(let number) where number.isFinite: try container.encode(number, forKey: .doubleValue)
            case .bool(let flag): try container.encode(flag, forKey: .boolValue)
            case .string(let text): try container.encode(OTLPDocument.bounded(text), forKey: .stringValue)
            default: try container.encode(OTLPDocument.bounded("\(value)"), forKey: .stringValue)
            }
        }
    }

    private static func attributes(_ attributes: SpanAttributes) -> [Attribute] {
        var found: [Attribute] = []
        attributes.forEach { found.append(Attribute(key: $0, value: Value($1))) }
        return found.sorted { $0.key < $1.key }
    }

    private static func bounded(_ text: String) -> String { String(text.prefix(textLimit)) }

    private static func number(of kind: SpanKind) -> Int {
        switch kind {
        case .internal: 1
        case .server: 2
        case .client: 3
        case .producer: 4
        case .consumer: 5
        }
    }
}

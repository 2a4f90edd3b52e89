import HTTPCredentials
import NIOCore
import NIOHTTP1

/// A writer of the gateway's own responses, in the format documented for errors.
enum AnswerWriter {
    /// The properties of the request that the response depends on.
    struct Context {
        var id: RequestID
        var isToHead: Bool
        var hasOrigin: Bool
        var version: HTTPVersion
        var persists: Bool
        /// Complete field lines about the limits of the request's key.
        var limits = ByteBuffer()
        /// True if the client prefers problem details (RFC 9457).
        var prefersProblem = false
        /// True if the response is about a key, so that no cache may store it.
        var isPrivate = false
    }

    /// Appends a whole response, and returns the number of bytes of its body.
    static func write(_ answer: Answer, context: Context, to out: inout ByteBuffer) -> Int {
        let row = answer.row
        let body = context.prefersProblem ? answer.problem : answer.body
        out.writeString("HTTP/1.1 \(row.status.code) \(row.status.reasonPhrase)\r\n")
        out.writeStaticString(
            context.prefersProblem
                ? "Content-Type: application/problem+json\r\nContent-Length: "
                : "Content-Type: application/json\r\nContent-Length: ")
        out.writeString("\(body.utf8.count)\r\nDate: \(HTTPDate.now())\r\nX-Request-Id: ")
        context.id.write(to: &out)
        out.writeStaticString("\r\n")
        if let challenge = answer.challenge {
            out.writeStaticString("WWW-Authenticate: ")
            out.writeString(challenge)
            out.writeStaticString("\r\n")
        }
        out.writeImmutableBuffer(context.limits)
        if let seconds = row.retryAfter { out.writeString("Retry-After: \(seconds)\r\n") }
        if let methods = answer.allow { out.writeString("Allow: \(methods)\r\n") }
        writeEnd(context, to: &out)
        return context.isToHead ? 0 : out.writeString(body)
    }

    /// Appends a response about a key to its holder, and returns the number of bytes of its body.
    static func write(_ body: String, context: Context, to out: inout ByteBuffer) -> Int {
        out.writeStaticString("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: ")
        out.writeString("\(body.utf8.count)\r\nDate: \(HTTPDate.now())\r\nX-Request-Id: ")
        context.id.write(to: &out)
        out.writeStaticString("\r\n")
        writeEnd(context, to: &out)
        return context.isToHead ? 0 : out.writeString(body)
    }

    /// Appends the fields of all responses, and the end of the head.
    private static func writeEnd(_ context: Context, to out: inout ByteBuffer) {
        if context.isPrivate { out.writeStaticString("Cache-Control: no-store\r\n") }
        if context.hasOrigin {
            out.writeStaticString(
                "Access-Control-Allow-Origin: *\r\nAccess-Control-Expose-Headers: RateLimit, RateLimit-Policy, Retry-After\r\n"
            )
        }
        if !context.persists {
            out.writeStaticString("Connection: close\r\n")
        } else if context.version == .http10 {
            out.writeStaticString("Connection: keep-alive\r\n")
        }
        out.writeStaticString("\r\n")
    }
}

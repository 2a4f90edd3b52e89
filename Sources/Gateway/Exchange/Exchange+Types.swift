import NIOCore

extension Exchange {
    enum Stage: Equatable {
        /// Between requests, or within the head of one.
        case idle
        /// The credential is being looked up in the database.
        case resolving
        /// The gateway prepares a response of its own.
        case serving
        /// The exchange waits for an upstream connection.
        case connecting
        /// The request is being sent; no final response has arrived yet.
        case awaiting
        /// The head of the final response was passed on.
        case responding
        /// Both connections carry another protocol now.
        case tunneling
        /// The last response was sent; further input of the client is discarded until it closes.
        case lingering
        /// The client's connection is closed, or about to be closed.
        case over
    }

    /// The gate's decision about a request.
    enum Decision: Equatable {
        case forward
        case resolve
        /// The gateway prepares a response of its own.
        case serve
        case answer(Answer)
    }

    /// The ends of a tunnel.
    enum Side: Equatable {
        case client, upstream
    }

    /// The properties of a request's head that the exchange needs.
    struct Request: Equatable {
        var hasBody: Bool
        /// True if the client's connection can carry another request.
        var persists: Bool
        var isRepeatable: Bool
    }

    /// The timeouts of an exchange.
    struct Timeouts {
        var connect, responseHead, idle, keepAlive, requestHead, tunnelIdle: TimeAmount
        var linger = TimeAmount.seconds(1)
        /// The time for a response of the gateway's own, the body of its request included.
        var serve = TimeAmount.seconds(15)
        /// The bytes of a request's body that must arrive before the idle timeout starts again.
        var uploadStride = 0
    }
}

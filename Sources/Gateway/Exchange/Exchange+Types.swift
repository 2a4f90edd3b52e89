import NIOCore

extension Exchange {
    enum Stage: Equatable {
        /// Between requests, or within the head of one.
        case idle
        /// The credential is being looked up in the database.
        case resolving
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

    /// The actions that the shell has to carry out. `FrontConnection.perform` defines the order of several at once.
    struct Actions: OptionSet, Equatable {
        let rawValue: UInt32

        /// Send `Step.answer`. With `linger`, the response says that the connection closes.
        static let answer = Actions(rawValue: 1)
        /// Pass on the current input: a head, a chunk, or the end of a body.
        static let forward = Actions(rawValue: 2)
        /// Close the upstream connection, or stop waiting for one.
        static let dropUpstream = Actions(rawValue: 4)
        /// Return the upstream connection to its pool.
        static let releaseUpstream = Actions(rawValue: 8)
        /// Acquire an upstream connection.
        static let acquireUpstream = Actions(rawValue: 16)
        /// Acquire an upstream connection that was never used.
        static let acquireFreshUpstream = Actions(rawValue: 32)
        /// Look the credential up.
        static let resolve = Actions(rawValue: 64)
        /// The exchange is over: count it.
        static let finish = Actions(rawValue: 128)
        /// Continue with the next request.
        static let next = Actions(rawValue: 256)
        /// Flush, end the output, and wait for the client to close.
        static let linger = Actions(rawValue: 512)
        /// Close the client's connection.
        static let close = Actions(rawValue: 1024)
        /// Close the client's connection so that the client cannot mistake a partial response for a complete one.
        static let abort = Actions(rawValue: 2048)
        /// End the output of a tunnel towards the upstream.
        static let endUpstream = Actions(rawValue: 4096)
        /// End the output of a tunnel towards the client.
        static let endClient = Actions(rawValue: 8192)
        /// Close a tunnel, with a close frame that states the reason if no frame is incomplete.
        static let dismiss = Actions(rawValue: 16_384)
    }

    struct Step: Equatable {
        var actions: Actions = []
        var answer: Answer?
    }

    /// The gate's decision about a request.
    enum Decision: Equatable {
        case forward
        case resolve
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
        /// The bytes of a request's body that must arrive before the idle timeout starts again.
        var uploadStride = 0
    }
}

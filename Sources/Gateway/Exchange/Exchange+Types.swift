import NIOCore

extension Exchange {
    enum Stage: Equatable {
        /// Between requests, or within the head of one.
        case idle
        /// The credential is looked up in the database.
        case resolving
        /// A connection to the upstream was asked for.
        case connecting
        /// The request is on its way; no final response yet.
        case awaiting
        /// The head of the final response was passed on.
        case responding
        /// Both connections carry another protocol now.
        case tunneling
        /// The last response was sent; what the client still sends is thrown away until it closes.
        case lingering
        /// The client's connection is gone, or told to go.
        case over
    }

    /// What the shell has to do. Several at once are done in this order.
    struct Actions: OptionSet, Equatable {
        let rawValue: UInt32

        /// Send `Step.answer`. With `linger`, it says that the connection closes.
        static let answer = Actions(rawValue: 1)
        /// Pass on what is in hand: a head, a piece, or the end of a body.
        static let forward = Actions(rawValue: 2)
        /// Close the upstream connection, or give up waiting for one.
        static let dropUpstream = Actions(rawValue: 4)
        /// Give the upstream connection back for others.
        static let releaseUpstream = Actions(rawValue: 8)
        /// Get an upstream connection.
        static let acquireUpstream = Actions(rawValue: 16)
        /// Get one that was never used.
        static let acquireFreshUpstream = Actions(rawValue: 32)
        /// Look the credential up.
        static let resolve = Actions(rawValue: 64)
        /// The exchange is over: count it.
        static let finish = Actions(rawValue: 128)
        /// Go on with the next request.
        static let next = Actions(rawValue: 256)
        /// Flush, end the output, and wait for the client to close.
        static let linger = Actions(rawValue: 512)
        /// Close the client's connection.
        static let close = Actions(rawValue: 1024)
        /// Close it so that the client cannot take what it got for a whole response.
        static let abort = Actions(rawValue: 2048)
        /// End the output of a tunnel towards the upstream.
        static let endUpstream = Actions(rawValue: 4096)
        /// End the output of a tunnel towards the client.
        static let endClient = Actions(rawValue: 8192)
        /// Tell the client of a tunnel why it ends, in the tunnel's own terms if that can be, and close.
        static let dismiss = Actions(rawValue: 16_384)
    }

    struct Step: Equatable {
        var actions: Actions = []
        var answer: Answer?
    }

    /// What the gate decided about a request.
    enum Decision: Equatable {
        case forward
        case resolve
        case answer(Answer)
    }

    /// The ends of a tunnel.
    enum Side: Equatable {
        case client, upstream
    }

    /// What matters of a request's head.
    struct Request: Equatable {
        var hasBody: Bool
        /// Whether the client's connection can carry another request.
        var persists: Bool
        var isRepeatable: Bool
    }

    /// The times to wait, in nanoseconds.
    struct Timeouts {
        var connect, responseHead, idle, keepAlive, requestHead, tunnelIdle: TimeAmount
        var linger = TimeAmount.seconds(1)
        /// Bytes of a request's body that have to come before the time to wait for more begins anew.
        var uploadStride = 0
    }
}

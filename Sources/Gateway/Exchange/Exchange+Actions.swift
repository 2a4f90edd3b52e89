/// The actions that the shell has to carry out, one type for each kind of event. An event that may need no action
/// returns an optional.
///
/// To end an exchange means to close its upstream connection, or to stop waiting for one, and to count it. To abort it
/// means to end it, and to close the client's connection so that no partial response looks complete.
extension Exchange {
    /// The action for a head, a chunk or the end of a body.
    enum DataAction: Equatable {
        /// Pass it on.
        case forward
        /// Ignore it: the exchange no longer expects it.
        case discard
    }

    /// The action for a request and the gate's decision about it.
    enum RequestAction: Equatable {
        /// Acquire an upstream connection.
        case acquireUpstream
        /// Look the credential up.
        case resolve
        /// Prepare a response of the gateway's own.
        case serve
        case reply(Reply)
    }

    /// The action for an invalid request.
    enum FailureAction: Equatable {
        case reply(Reply)
        case abort
    }

    /// The action for an upstream connection that was lost.
    enum LossAction: Equatable {
        /// Drop the upstream connection, and acquire one that was never used.
        case retry
        case reply(Reply)
        case abort
    }

    /// The action for an exchange that is cut because its key became invalid, or evicted in favour of others.
    enum CutAction: Equatable {
        case reply(Reply)
        case abort
        /// End the exchange, and close the tunnel with a close frame that states the reason.
        case closeWebSocket
    }

    /// The action for a deadline that has passed.
    enum ExpiryAction: Equatable {
        /// Close the client's connection, which has no exchange.
        case close
        case reply(Reply)
        case abort
    }

    /// The action for the end of one side's output in a tunnel.
    enum TunnelAction: Equatable {
        /// End the output towards the upstream.
        case endUpstream
        /// End the output towards the client.
        case endClient
        /// End the exchange: both sides have ended. The upstream still gets the pending output.
        case complete
    }

    /// The end of a complete response: pass it on, give the upstream connection up, count the exchange, and continue.
    struct Completion: Equatable {
        /// True to return the upstream connection to its pool, false to close it.
        var keepsUpstream: Bool
        var then: Continuation
    }

    /// A response of the gateway's own: send it, end the exchange, and continue.
    struct Reply: Equatable {
        var answer: Answer
        var then: Continuation
    }

    /// The next step on the client's connection after an exchange.
    enum Continuation: Equatable {
        /// Continue with the next request.
        case next
        /// Flush, end the output, and wait for the client to close. A response says that the connection closes.
        case linger
    }
}

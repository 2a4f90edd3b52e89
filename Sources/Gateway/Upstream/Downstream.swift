import HTTPCredentials
import NIOCore

/// The client's side of an exchange: receives the events of the request's upstream connection.
///
/// `FrontConnection` conforms to it, so that pools and upstream connections do not depend on clients' connections.
protocol Downstream: AnyObject {
    // MARK: Until the request has a connection

    /// True if the request with this identifier still waits for an upstream connection.
    func isWaiting(_ id: RequestID) -> Bool
    /// Notes that the group picked an upstream, the first one or another.
    func upstreamPicked(_ targets: TriedTargets, now: NIODeadline)
    func upstreamReady(_ connection: UpstreamConnection, isReused: Bool)
    func upstreamFailed(_ answer: Answer, _ cause: UpstreamCause)

    // MARK: The response

    /// True if the client can accept more of the response.
    var takesResponse: Bool { get }
    func interimHead(_ head: borrowing ResponseHead, bytes: ByteBuffer)
    func responseHead(_ head: borrowing ResponseHead, bytes: ByteBuffer)
    func responsePiece(_ piece: ByteBuffer)
    func responseEnd(trailers: ByteBuffer)
    /// Sends what was passed on.
    func flush()

    // MARK: A tunnel

    /// Handles the response of an upstream that accepted the upgrade.
    func switched(_ head: borrowing ResponseHead, bytes: ByteBuffer)
    func tunnelPiece(_ piece: ByteBuffer)
    func tunnelEnded(_ side: Exchange.Side)
    func tunnelClosed()

    // MARK: The connection

    func upstreamWritabilityChanged()
    /// Handles an upstream connection that ended before its response.
    /// - Parameter isSilent: true if not a byte of a response arrived.
    func upstreamLost(isSilent: Bool, cause: UpstreamCause)
}

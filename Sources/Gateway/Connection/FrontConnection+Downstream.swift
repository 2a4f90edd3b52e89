import HTTPCredentials
import NIOCore
import RequestLog

/// The events of the upstream connection: it is ready, passes on a response or the bytes of a tunnel, or is lost.
extension FrontConnection: Downstream {
    /// The current request, in the form that its group and its pool need.
    var upstreamRequest: UpstreamRequest {
        UpstreamRequest(id: record.id, account: record.account, downstream: self, targets: record.targets)
    }

    func isWaiting(_ id: RequestID) -> Bool {
        record.id == id && exchange.stage == .connecting
    }

    func upstreamPicked(_ targets: TriedTargets, now: NIODeadline) {
        record.targets = targets
        exchange.upstreamPicked(now: now)
    }

    func upstreamReady(_ connection: UpstreamConnection, isReused: Bool) {
        let now = NIODeadline.now()
        guard exchange.upstreamReady(isReused: isReused, now: now) == .forward else { return connection.release() }
        record.sentAt = now
        upstream = connection
        headBytes.withUnsafeReadableBytes { bytes in
            connection.pool.rewriter.write(
                head, bytes: bytes, id: record.id, identity: identity, forwarded: forwarded, to: &upstreamHead)
        }
        connection.begin(for: self, head: upstreamHead, isToHead: record.isToHead, mayUpgrade: head.upgrades)
        process()
        readIfWanted()
    }

    func upstreamFailed(_ answer: Answer, _ cause: UpstreamCause) {
        loop.noteFailure(answer == .upstreamTimeout ? .timeout : .unreachable, cause, of: record)
        if let reply = exchange.upstreamFailed(answer, now: .now()) { send(reply) }
        flush()
    }

    // MARK: The response

    var takesResponse: Bool { isWritable }

    func interimHead(_ head: borrowing ResponseHead, bytes: ByteBuffer) {
        let action = exchange.interimHead(clientUnderstands: record.version == .http11, now: .now())
        guard action == .forward else { return }
        write(head, bytes: bytes, delimiter: .itself, persists: nil)
    }

    func responseHead(_ head: borrowing ResponseHead, bytes: ByteBuffer) {
        delimiter = ResponseRewriter.delimiter(head.framing, for: record.version)
        let now = NIODeadline.now()
        let action = exchange.responseHead(upstreamPersists: head.persists, canDelimit: delimiter != .close, now: now)
        guard action == .forward else { return }
        record.status = head.status
        record.respondedAt = now
        if loop.keepsLog, head.isEventStream(in: bytes) { record.flags.insert(.stream) }
        if loop.readsCosts { readCost(head, bytes: bytes) }
        write(head, bytes: bytes, delimiter: delimiter, persists: exchange.persists)
    }

    func responsePiece(_ piece: ByteBuffer) {
        guard let context, exchange.responsePiece(now: .now()) == .forward else { return }
        record.bytesOut += piece.readableBytes
        usage?.scan(piece)
        if delimiter == .chunks { outlet.appendChunk(piece, to: context) } else { outlet.append(piece, to: context) }
    }

    func responseEnd(trailers: ByteBuffer) {
        if let completion = exchange.responseEnd(now: .now()) {
            let trailers = loop.readsCosts ? readCost(trailers: trailers) : trailers
            if delimiter == .chunks { outlet.appendLastChunk(trailers: trailers) }
            complete(completion)
        }
        flush()
    }

    // MARK: A tunnel

    func switched(_ head: borrowing ResponseHead, bytes: ByteBuffer) {
        let now = NIODeadline.now()
        guard exchange.switched(now: now) == .forward else { return }
        record.status = head.status
        record.respondedAt = now
        record.flags.insert(.webSocket)
        if loop.readsCosts { readCost(head, bytes: bytes) }
        frames = WebSocketFrames()
        write(head, bytes: bytes, delimiter: .itself, persists: nil)
        process()
        readIfWanted()
    }

    func tunnelPiece(_ piece: ByteBuffer) {
        guard let context, exchange.tunnelPiece(now: .now()) == .forward else { return }
        record.bytesOut += piece.readableBytes
        frames.follow(piece.readableBytesView)
        outlet.append(piece, to: context)
    }

    func tunnelEnded(_ side: Exchange.Side) {
        switch exchange.tunnelEnded(side, now: .now()) {
        case .endUpstream: upstream?.endOutput()
        case .endClient: endOutput(promise: nil)
        case .complete: completeTunnel()
        case nil: break
        }
        flush()
    }

    func tunnelClosed() {
        if exchange.tunnelClosed(now: .now()) {
            endExchange()
            linger()
        }
        flush()
    }

    // MARK: The connection

    func upstreamWritabilityChanged() {
        exchange.progressed(now: .now())
        readIfWanted()
    }

    func upstreamLost(isSilent: Bool, cause: UpstreamCause) {
        let reason = exchange.stage == .responding ? GatewayMetrics.UpstreamFailure.aborted : .reset
        switch exchange.upstreamLost(isSilent: isSilent, now: .now()) {
        case .retry:
            record.flags.insert(.retried)
            dropUpstream()
            record.group?.acquire(for: upstreamRequest, fresh: true)
        case .reply(let reply):
            loop.noteFailure(reason, cause, of: record)
            send(reply)
        case .abort:
            loop.noteFailure(reason, cause, of: record)
            record.end(.failed, Answer.upstreamReset.row.error.code)
            abort()
        case nil: break
        }
        flush()
    }

    private func write(
        _ head: borrowing ResponseHead, bytes: ByteBuffer, delimiter: ResponseRewriter.Delimiter, persists: Bool?
    ) {
        outlet.append { out in
            bytes.withUnsafeReadableBytes { bytes in
                ResponseRewriter.write(
                    head, bytes: bytes, id: record.id, version: record.version, delimiter: delimiter,
                    persists: persists, limits: persists == nil ? nil : limits.lines,
                    costField: loop.configuration.costField, to: &out)
            }
        }
    }
}

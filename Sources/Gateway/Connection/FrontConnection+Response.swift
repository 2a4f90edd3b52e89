import NIOCore

/// Forwarding of a response to the client.
extension FrontConnection {
    func interimHead(_ head: borrowing ResponseHead, bytes: ByteBuffer) {
        let action = exchange.interimHead(clientUnderstands: record.version == .http11, now: .now())
        guard action == .forward else { return }
        write(head, bytes: bytes, delimiter: .itself, persists: nil)
    }

    func responseHead(_ head: borrowing ResponseHead, bytes: ByteBuffer) {
        delimiter = ResponseRewriter.delimiter(head.framing, for: record.version)
        let action = exchange.responseHead(
            upstreamPersists: head.persists, canDelimit: delimiter != .close, now: .now())
        guard action == .forward else { return }
        record.status = head.status
        write(head, bytes: bytes, delimiter: delimiter, persists: exchange.persists)
    }

    func responsePiece(_ piece: ByteBuffer) {
        guard let context, exchange.responsePiece(now: .now()) == .forward else { return }
        if delimiter == .chunks { outlet.appendChunk(piece, to: context) } else { outlet.append(piece, to: context) }
    }

    func responseEnd(trailers: ByteBuffer = ByteBuffer()) {
        if let completion = exchange.responseEnd(now: .now()) {
            if delimiter == .chunks { outlet.appendLastChunk(trailers: trailers) }
            complete(completion)
        }
        flush()
    }

    // MARK: A tunnel

    func switched(_ head: borrowing ResponseHead, bytes: ByteBuffer) {
        guard exchange.switched(now: .now()) == .forward else { return }
        record.status = head.status
        frames = WebSocketFrames()
        write(head, bytes: bytes, delimiter: .itself, persists: nil)
        process()
        readIfWanted()
    }

    func tunnelPiece(_ piece: ByteBuffer) {
        guard let context, exchange.tunnelPiece(now: .now()) == .forward else { return }
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

    /// Handles an upstream connection that ended before its response.
    func upstreamLost(isSilent: Bool, cause: UpstreamCause) {
        let reason = exchange.stage == .responding ? GatewayMetrics.UpstreamFailure.aborted : .reset
        switch exchange.upstreamLost(isSilent: isSilent, now: .now()) {
        case .retry:
            dropUpstream()
            record.group?.acquire(for: self, fresh: true)
        case .reply(let reply):
            loop.noteFailure(reason, cause, of: record)
            send(reply)
        case .abort:
            loop.noteFailure(reason, cause, of: record)
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
                    persists: persists,
                    to: &out)
            }
        }
    }
}

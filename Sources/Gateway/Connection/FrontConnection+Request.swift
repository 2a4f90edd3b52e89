import AuthKeys
import HTTPCredentials
import NIOCore
import RequestLog

/// Forwarding of a request to the upstream.
extension FrontConnection {
    /// Reads a head and acts on the decision about it. Returns false if the head is incomplete or if nothing may follow
    /// it.
    func readHead() -> Bool {
        let now = NIODeadline.now()
        let limits = loop.headLimits
        do throws(HeadError) {
            let end = try input.withHeadBytes { bytes throws(HeadError) in try scanner.end(of: bytes, limits: limits) }
            guard let end, let bytes = input.readSlice(length: end) else {
                exchange.headIsComing(now: now)
                return false
            }
            beginRecord(now: now)
            headBytes = bytes
            try bytes.withHeadBytes { bytes throws(HeadError) in try head.read(bytes, limits: limits) }
            record.hasHead = true
        } catch {
            refuse(error, now: now)
            return false
        }
        skippedLine = false
        record.isToHead = head.method == .head
        record.hasOrigin = head.hasOrigin
        record.version = head.version
        if loop.logsRequests { record.method = headBytes.text(head.methodText) }
        requestBody = BodyDecoder(head.framing)
        let request = Exchange.Request(hasBody: head.hasBody, persists: head.persists, isRepeatable: head.isRepeatable)
        perform(exchange.begin(request, decide(), now: now))
        return true
    }

    /// Reads the next chunk of the body. Returns false if there is none.
    func readBody() -> Bool {
        let now = NIODeadline.now()
        do throws(HeadError) {
            switch try requestBody.next(&input) {
            case .needsMore: return false
            case .end: break
            case .piece(let piece):
                guard exchange.requestPiece(bytes: piece.readableBytes, now: now) == .forward else {
                    return false
                }
                record.bytesIn += piece.readableBytes
                if head.framing == .chunked { upstream?.writeChunk(piece) } else { upstream?.write(piece) }
                guard requestBody.hasEnded else { return true }
            }
        } catch {
            refuse(error, now: now)
            return false
        }
        guard exchange.requestEnd(now: now) == .forward else { return false }
        if head.framing == .chunked { upstream?.writeLastChunk(trailers: requestBody.trailers) }
        return true
    }

    /// Passes on the bytes that the client of a tunnel sent. Returns false if nothing may follow.
    func readTunnel() -> Bool {
        guard exchange.tunnelPiece(now: .now()) == .forward else { return false }
        record.bytesIn += input.readableBytes
        upstream?.write(input)
        input = ByteBuffer()
        return false
    }

    /// Looks the credential up outside the loop, then decides again with the result.
    func resolve(_ digest: SecretDigest) {
        let verifier = loop.gate.verifier
        let eventLoop = loop.eventLoop
        let id = record.id
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        Task {
            let answer = await verifier.resolve(digest)
            eventLoop.execute { bound.value.resolved(answer, of: id) }
        }
    }

    private func resolved(_ answer: UnknownKeyLookup.Answer, of id: RequestID) {
        guard record.id == id, exchange.stage == .resolving else { return }
        if let action = exchange.resolved(decide(after: answer), now: .now()) { perform(action) }
        process()
    }

    /// Asks the gate for a decision, and the router for the destination of an accepted request.
    private func decide(after answer: UnknownKeyLookup.Answer? = nil) -> Exchange.Decision {
        if !record.isAdmitted { return .answer(.overloaded) }
        return headBytes.withUnsafeReadableBytes { bytes in
            if let decision = decideSelf(bytes: bytes, after: answer) { return decision }
            let decision = loop.gate.decide(
                head, bytes: bytes, from: forwarded, after: answer, identity: &identity, holder: &holder,
                limits: &limits)
            record.keyID = holder.keyID
            switch decision {
            case .answer(let answer):
                record.digest = nil
                return .answer(answer)
            case .resolve(let digest):
                record.digest = digest
                return .resolve
            case .forward(let key):
                (record.digest, record.expiresAt) = (key?.digest, key?.expiresAt)
                if key == nil { record.flags.insert(.preflight) }
                if let refusal = countAgainstAccount(bytes: bytes) { return .answer(refusal) }
                if let key { loop.countUse(of: key, head, bytes: bytes, from: forwarded) }
                record.group = loop.router.destination(of: bytes.part(head.path))
                return record.group == nil ? .answer(.notRouted) : .forward
            }
        }
    }

    /// Starts the record of a request: its identifier, its start time and its count.
    func beginRecord(now: NIODeadline) {
        let underWay = loop.shared.requestBegan()
        record = RequestRecord()
        record.at = loop.now()
        record.id = loop.requestIDs.next(at: record.at)
        record.flags = connectionFlags
        holder.clear()
        limits.clear()
        record.began = now
        record.isCounted = true
        record.isAdmitted = underWay <= loop.configuration.limits.requestsInFlight
    }

    /// Refuses the request of a stream that cannot be written as an HTTP/1.1 request.
    func refuse(_ error: HeadError) {
        refuse(error, now: .now())
        flush()
    }

    private func refuse(_ error: HeadError, now: NIODeadline) {
        let answer: Answer =
            switch error {
            case .malformed: .malformedRequest(nil)
            case .target(let fault): .malformedRequest(fault)
            case .targetTooLong: .targetTooLong
            case .tooLarge: .headTooLarge
            case .unsupportedVersion: .versionNotSupported
            }
        fail(answer, now: now)
    }
}

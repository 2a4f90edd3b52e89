import AuthKeys
import HTTPCredentials
import NIOCore

/// Requests that the gateway answers itself, because they ask about their key.
extension FrontConnection {
    /// Decides about a request for self-service; returns nil for a request that belongs to the upstream.
    func decideSelf(
        bytes: UnsafeRawBufferPointer, after answer: UnknownKeyLookup.Answer?
    ) -> Exchange.Decision? {
        guard let target = loop.configuration.selfPath?.target(of: bytes.part(head.path)) else { return nil }
        let own = record.own ?? SelfRequest(target)
        record.own = own
        holder.clear()
        limits.clear()
        guard isAccepted(for: target, bytes: bytes) else {
            return .answer(.selfService(.methodNotAllowed(target.methods)))
        }
        let decision = loop.gate.describe(head, bytes: bytes, from: forwarded, after: answer)
        if let profile = decision.profile { holder.set(profile.principal) }
        record.keyID = holder.keyID
        record.digest = nil
        switch decision {
        case .admitted(let key, let profile):
            (own.key, own.profile) = (key, profile)
            return countAgainstAccount(bytes: bytes).map { .answer($0) } ?? .serve
        case .resolve(let digest):
            record.digest = digest
            return .resolve
        case .answer(let answer, _): return .answer(answer)
        }
    }

    private func isAccepted(for target: SelfPath.Target, bytes: UnsafeRawBufferPointer) -> Bool {
        switch target {
        case .key: head.method == .get || head.method == .head
        case .rotation: bytes.part(head.methodText).elementsEqual("POST".utf8)
        }
    }

    /// Begins to answer a request that was accepted. The body of a rotation comes first.
    func serve() {
        guard let own = record.own, !own.readsBody || !exchange.awaitsOwnBody else { return }
        answer(own)
    }

    /// Reads the next chunk of the body of a rotation. Returns false if there is none.
    func readOwnBody() -> Bool {
        guard let own = record.own, own.readsBody, exchange.awaitsOwnBody else { return false }
        do throws(HeadError) {
            switch try requestBody.next(&input) {
            case .needsMore: return false
            case .end: break
            case .piece(let piece):
                record.bytesIn += piece.readableBytes
                guard own.add(piece) else {
                    fail(.selfService(.bodyTooLarge), now: .now())
                    return false
                }
                guard requestBody.hasEnded else { return true }
            }
        } catch {
            fail(.malformedRequest(nil), now: .now())
            return false
        }
        if exchange.requestEnd(now: .now()) == .forward { answer(own) }
        return false
    }

    /// Prepares the response outside the event loop, and sends it.
    private func answer(_ own: SelfRequest) {
        guard let key = own.key, let profile = own.profile else { return }
        let address = headBytes.withUnsafeReadableBytes { forwarded.client(head, bytes: $0) }?.description ?? ""
        let work = SelfWork(
            target: own.target, profile: profile, service: loop.selfService,
            request: SelfRotationRequest(
                key: key.id, secret: key.digest, body: own.body, address: address, requestID: record.id.description))
        let eventLoop = loop.eventLoop
        let id = record.id
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        Task {
            let result = await work.result()
            eventLoop.execute { bound.value.served(result, to: id) }
        }
    }

    private func served(_ result: Result<String, SelfServiceFault>, to id: RequestID) {
        guard record.id == id else { return }
        let now = NIODeadline.now()
        switch result {
        case .success(let body):
            guard let continuation = exchange.served(now: now) else { return }
            record.status = 200
            let context = answerContext(persists: continuation == .next)
            outlet.append { record.bytesOut += AnswerWriter.write(body, context: context, to: &$0) }
            endExchange()
            proceed(continuation)
        case .failure(let fault):
            guard let reply = exchange.served(.selfService(fault), now: now) else { return }
            send(reply)
        }
        process()
        flush()
    }
}

import AuthKeys
import Listening
import Logging
import Metrics
import NIOCore

/// The actual cost of a request: the upstream states it in a field, in a trailer or in the body, and the units that the
/// request took from the limits of its key are settled.
extension FrontConnection {
    /// Reads the cost from the head of a final response, and prepares to read it from the body.
    func readCost(_ head: borrowing ResponseHead, bytes: ByteBuffer) {
        bytes.withUnsafeReadableBytes { bytes in
            if let field = loop.configuration.costField { settle(field.read(head.fields, in: bytes)) }
            // A stated cost takes precedence.
            guard let member = loop.configuration.costUsage, !record.hasStatedCost, !limits.reservation.isEmpty else {
                return
            }
            switch UsageScanner.Format.find(in: head, bytes: bytes) {
            case .readable(let format): usage = UsageScanner(format, member)
            case .encoded: loop.noteUnreadableCost("the body is compressed", of: record)
            case .none: break
            }
        }
    }

    /// Reads the cost from the end of a response. Returns the trailers that the client gets.
    func readCost(trailers: ByteBuffer) -> ByteBuffer {
        var trailers = trailers
        if let field = loop.configuration.costField { settle(field.take(from: &trailers)) }
        if !record.hasStatedCost, let cost = usage?.cost { settle(.cost(cost)) }
        return trailers
    }

    private func settle(_ reading: CostField.Reading) {
        switch reading {
        case .absent: break
        case .invalid: loop.noteUnreadableCost("the value is not a number from 0 to 1000000000", of: record)
        case .cost(let cost):
            record.hasStatedCost = true
            loop.gate.verifier.settle(&limits.reservation, cost: cost)
        }
    }

    /// Ends the reservation of an exchange that has ended.
    ///
    /// An upstream that never got the request cost nothing. The usage in a part of a response only raises the cost, so
    /// that a client gains nothing if it leaves early.
    func concludeCost() {
        if record.sentAt == nil {
            loop.gate.verifier.settle(&limits.reservation, cost: 0)
        } else if !record.hasStatedCost, let cost = usage?.cost, cost > limits.cost {
            loop.gate.verifier.settle(&limits.reservation, cost: cost)
        }
        usage = nil
        loop.gate.verifier.conclude(&limits.reservation)
    }
}

extension GatewayLoop {
    /// Counts a response whose cost cannot be read. Logs a warning unless one was logged within the last minute.
    func noteUnreadableCost(_ reason: StaticString, of record: RequestRecord) {
        metrics.unreadableCosts.increment()
        guard shared.costWarnings.isDue() else { return }
        logger.warning(
            "the cost of a request could not be read from its response",
            metadata: [
                "reason": "\(reason)", "route": "\(record.group?.route ?? "-")",
                "upstream": "\(record.group?.upstream(of: record.targets.last)?.authority ?? "-")",
                "request_id": "\(record.id)",
            ])
    }
}

import AuthKeys
import HTTPCredentials
import NIOCore
import RequestLog

/// The line of a request in the request log.
extension FrontConnection {
    /// Writes the line of the current request, which has ended.
    func writeLine(nanoseconds: Int64) {
        var line = RequestLine(
            at: record.at, id: record.id, surface: .gateway, outcome: record.outcome,
            status: UInt16(clamping: record.status), code: record.code, keyID: record.keyID)
        line.flags = record.flags
        line.microseconds = nanoseconds / 1_000
        if let sent = record.sentAt, let responded = record.respondedAt {
            line.upstreamMicroseconds = Int32(clamping: (responded - sent).nanoseconds / 1_000)
        }
        (line.bytesIn, line.bytesOut) = (Int64(record.bytesIn), Int64(record.bytesOut))
        if let group = record.group { line.upstream = group.logNumber(of: record.targets.last) }
        headBytes.withUnsafeReadableBytes { bytes in
            holder.withOwner { owner in
                line.owner = owner
                if record.hasHead { describeHead(in: bytes, for: &line) } else { line.address = forwarded.peer }
                loop.requestLog?.log(line)
            }
        }
    }

    /// Sets what the head of the request says: the method, the target, the client.
    private func describeHead(in bytes: UnsafeRawBufferPointer, for line: inout RequestLine) {
        line.method = bytes.part(head.methodText)
        line.setTarget(bytes.part(head.path))
        line.address = forwarded.client(head, bytes: bytes)
        if let agent = head.userAgent(in: bytes), let name = AgentName.find(agent) { line.agent = name }
    }
}

import CLibPQ
import Glibc

/// An established libpq connection with its watch on the socket. Belongs to one `PostgresConnection`; closing is letting go.
final class Session {
    let pointer: OpaquePointer
    let watch: SocketWatch
    let cancelRequest: CancelRequest
    /// A commit was carried out, and a synchronous standby did not confirm it: its wait was cancelled. The server answers with success
    /// and a warning, which is told by the function that it comes from (`PG_DIAG_SOURCE_FUNCTION`), as texts are translated.
    private var hasUnconfirmedCommit = false

    /// Takes over an established connection and makes it non-blocking; nil (and closed) if that cannot be done.
    init?(_ pointer: OpaquePointer, watch: SocketWatch) {
        guard PQsetnonblocking(pointer, 1) == 0, let cancelRequest = CancelRequest(connection: pointer) else {
            watch.cancel()
            PQfinish(pointer)
            return nil
        }
        self.pointer = pointer
        self.watch = watch
        self.cancelRequest = cancelRequest
        PQsetNoticeReceiver(
            pointer,
            { context, notice in
                guard let context, let function = PQresultErrorField(notice, Int32(UInt8(ascii: "R"))),
                    strcmp(function, "SyncRepWaitForLSN") == 0
                else { return }
                Unmanaged<Session>.fromOpaque(context).takeUnretainedValue().hasUnconfirmedCommit = true
            }, Unmanaged.passUnretained(self).toOpaque())
    }

    deinit {
        watch.cancel()
        PQfinish(pointer)
    }

    /// Returns true once after a commit that a synchronous standby did not confirm.
    func takeUnconfirmedCommit() -> Bool {
        defer { hasUnconfirmedCommit = false }
        return hasUnconfirmedCommit
    }

    var isIdle: Bool { PQtransactionStatus(pointer) == PQTRANS_IDLE }

    /// Takes in what has come. False when the connection is lost.
    func consumeInput() -> Bool {
        // One call reads one TLS record in part; what OpenSSL keeps back (16 KiB at most, libpq has room for 8 KiB or more)
        // would not make the socket readable again.
        for _ in 0..<(PQsslInUse(pointer) == 1 ? 3 : 1) {
            guard PQconsumeInput(pointer) == 1 else { return false }
        }
        return true
    }

    /// Whether the server still holds its end, as far as can be known without asking it.
    func isAlive() -> Bool {
        for _ in 0..<8 {
            guard PQstatus(pointer) == CONNECTION_OK else { return false }
            var byte: UInt8 = 0
            let count = recv(PQsocket(pointer), &byte, 1, Int32(MSG_PEEK) | Int32(MSG_DONTWAIT))
            if count < 0 { return errno == EAGAIN || errno == EINTR }
            guard count > 0, consumeInput() else { return false }
        }
        return true
    }

    /// The notifications that have come (libpq, "Asynchronous Notification").
    func takeNotifications(_ body: (_ channel: String, _ payload: String) -> Void) {
        while let notification = PQnotifies(pointer) {
            defer { PQfreemem(notification) }
            let payload = notification.pointee.extra.map { String(cString: $0) } ?? ""
            body(String(cString: notification.pointee.relname), payload)
        }
    }

    /// What the server said before it hung up, else that the connection is lost.
    func lastWords() -> PostgresError {
        let lost = PostgresError(.connectionLost, detail: String(cString: PQerrorMessage(pointer)))
        for _ in 0..<64 {
            guard PQisBusy(pointer) == 0, let result = PQgetResult(pointer) else { break }
            defer { PQclear(result) }
            if PQresultStatus(result) == PGRES_FATAL_ERROR, PQresultErrorField(result, KEYWARD_DIAG_SQLSTATE) != nil {
                return PostgresError(result: result)
            }
        }
        return lost
    }
}

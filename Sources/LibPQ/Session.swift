import CLibPQ
import Glibc

/// An established libpq connection with the watch of its socket. It belongs to one `PostgresConnection`, and its
/// deinitializer closes it.
final class Session {
    let pointer: OpaquePointer
    let watch: SocketWatch
    let cancelRequest: CancelRequest
    /// True if a commit was carried out but a synchronous standby did not confirm it, because the wait was cancelled.
    /// The server then reports success and a warning. The warning is recognized by its source function
    /// (`PG_DIAG_SOURCE_FUNCTION`), because messages are translated.
    private var hasUnconfirmedCommit = false

    /// Takes ownership of an established connection and makes it non-blocking. If that fails, closes the connection and
    /// returns nil.
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

    /// Reads the available input. Returns false if the connection is lost.
    func consumeInput() -> Bool {
        // One call may read only part of a TLS record. The rest stays in OpenSSL's buffer (at most 16 KiB; libpq has
        // room for 8 KiB or more) and would not make the socket readable again.
        for _ in 0..<(PQsslInUse(pointer) == 1 ? 3 : 1) {
            guard PQconsumeInput(pointer) == 1 else { return false }
        }
        return true
    }

    /// Returns true if the server's end is open, as far as can be known without a round trip.
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

    /// Passes on the notifications that have arrived (libpq, "Asynchronous Notification").
    func takeNotifications(_ body: (_ channel: String, _ payload: String) -> Void) {
        while let notification = PQnotifies(pointer) {
            defer { PQfreemem(notification) }
            let payload = notification.pointee.extra.map { String(cString: $0) } ?? ""
            body(String(cString: notification.pointee.relname), payload)
        }
    }

    /// Returns the error that the server sent before it closed the connection, or else `.connectionLost`.
    func finalError() -> PostgresError {
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

import CLibPQ
import Dispatch
import Glibc
public import Logging

extension PostgresConnection {
    /// Connects and authenticates (libpq, "PQconnectStartParams").
    /// - Throws: `.connectionFailed`; `.timeout` if it takes longer than the connect timeout; `.cancelled`.
    public static func connect(
        to target: PostgresTarget, settings: ConnectionSettings = .init(), logger: Logger
    ) async throws(PostgresError) -> PostgresConnection {
        try await connect(to: target, settings: settings, logger: logger, observer: nil)
    }

    static func connect(
        to target: PostgresTarget, settings: ConnectionSettings, logger: Logger,
        observer: (@Sendable (Event) -> Void)?
    ) async throws(PostgresError) -> PostgresConnection {
        let connection = PostgresConnection(settings: settings, logger: logger, observer: observer)
        let deadline = Deadline(min(settings.connectTimeout, target.connectTimeout ?? settings.connectTimeout))
        // libpq resolves names in blocking calls that cannot be interrupted, so the caller does not wait for the queue
        // itself.
        let (outcomes, outcome) = AsyncStream.makeStream(
            of: Result<Void, PostgresError>.self, bufferingPolicy: .bufferingOldest(1))
        let opening = Task {
            do throws(PostgresError) {
                try await connection.open(target, deadline)
                outcome.yield(.success(()))
            } catch {
                outcome.yield(.failure(error))
            }
        }
        DispatchQueue.global().asyncAfter(deadline: DispatchTime(deadline.instant)) {
            outcome.yield(.failure(PostgresError(.timeout, detail: "connecting", nothingWasSent: true)))
        }
        // Cancelling the task ends the stream.
        let result = await outcomes.first { _ in true } ?? .failure(PostgresError(.cancelled, nothingWasSent: true))
        do throws(PostgresError) {
            try result.get()
            return connection
        } catch {
            opening.cancel()
            connection.abandon()
            throw error
        }
    }

    private func open(_ target: PostgresTarget, _ deadline: Deadline) async throws(PostgresError) {
        guard let pointer = Self.start(target) else { throw PostgresError(.connectionFailed, nothingWasSent: true) }
        do throws(PostgresError) {
            try await poll(pointer, deadline)
        } catch {
            PQfinish(pointer)
            throw error
        }
        guard let watch = watch(pointer), let session = Session(pointer, watch: watch), !isClosed else {
            throw PostgresError(.connectionFailed, detail: "no file descriptor or memory is left", nothingWasSent: true)
        }
        self.session = session
        if !settings.isPooled { try await setUp(deadline) }
    }

    /// Applies the session's settings. A connection on which this fails is not usable.
    private func setUp(_ deadline: Deadline) async throws(PostgresError) {
        do throws(PostgresError) {
            try await run(script: SessionSettings.sessionScript, deadline: deadline)
        } catch {
            throw .unusableSession(error)
        }
    }

    private static func start(_ target: PostgresTarget) -> OpaquePointer? {
        var keywords = target.options.map { UnsafePointer(strdup($0.keyword)) } + [nil]
        var values = target.options.map { UnsafePointer(strdup($0.value)) } + [nil]
        defer { for text in keywords + values { free(UnsafeMutableRawPointer(mutating: text)) } }
        guard let pointer = PQconnectStartParams(&keywords, &values, 0) else { return nil }
        // The verbose form puts the SQLSTATE of a refusal into the message. The receiver keeps the server's notices off
        // standard error.
        PQsetErrorVerbosity(pointer, PQERRORS_VERBOSE)
        PQsetNoticeReceiver(pointer, { _, _ in }, nil)
        return pointer
    }

    /// Drives PQconnectPoll and waits each time for exactly the event that it requests.
    private func poll(_ pointer: OpaquePointer, _ deadline: Deadline) async throws(PostgresError) {
        guard PQstatus(pointer) != CONNECTION_BAD else { throw PostgresError(failedConnection: pointer) }
        var state = PGRES_POLLING_WRITING
        while state != PGRES_POLLING_OK {
            guard state == PGRES_POLLING_READING || state == PGRES_POLLING_WRITING else {
                throw PostgresError(failedConnection: pointer)
            }
            // A new watch each time: libpq may use another socket after every call.
            guard let watch = watch(pointer) else {
                throw PostgresError(.connectionFailed, detail: "no file descriptor is left", nothingWasSent: true)
            }
            defer { watch.cancel() }
            let write = state == PGRES_POLLING_WRITING
            while !watch.isReady(read: !write, write: write) {
                if write { watch.notifyWhenWritable() }
                switch await waitForSocket(deadline) {
                case .ready, .granted: break
                case .deadline: throw PostgresError(.timeout, detail: "connecting", nothingWasSent: true)
                case .cancelled: throw PostgresError(.cancelled, nothingWasSent: true)
                case .closed: throw .closed()
                }
            }
            guard !isClosed else { throw .closed() }
            state = PQconnectPoll(pointer)
        }
    }

    private func watch(_ pointer: OpaquePointer) -> SocketWatch? {
        SocketWatch(socket: PQsocket(pointer), queue: executor.queue) { [weak self] in
            self?.assumeIsolated { $0.socketEvent() }
        }
    }
}

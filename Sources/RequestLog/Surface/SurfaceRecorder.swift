public import AuthKeys
public import HTTPCredentials

/// Writes the decisions of an entry point into the request log.
public struct SurfaceRecorder: RequestRecorder {
    private let log: RequestLog
    private let surface: RequestSurface

    public init(log: RequestLog, surface: RequestSurface) {
        self.log = log
        self.surface = surface
    }

    public func record(
        _ decision: RequestDecision, of request: IncomingRequest, id: RequestID, status: Int?, began: Timestamp
    ) {
        var line = RequestLine(
            at: began, id: id, surface: surface,
            outcome: decision.code == nil ? .allowed : RequestOutcome(refusalWithStatus: decision.status),
            status: UInt16(clamping: status ?? decision.status), code: decision.code, keyID: decision.key?.keyID)
        line.microseconds = max(0, Timestamp.now.microseconds - began.microseconds)
        line.address = request.address
        if decision.isPreflight { line.flags = .preflight }
        var (method, path) = (request.method, request.path)
        var (owner, agent) = (decision.key?.owner ?? "", request.agent ?? "")
        method.withUTF8 {
            line.method = UnsafeRawBufferPointer($0)
            path.withUTF8 {
                line.setTarget(UnsafeRawBufferPointer($0))
                owner.withUTF8 {
                    line.owner = UnsafeRawBufferPointer($0)
                    agent.withUTF8 { agent in
                        if let name = AgentName.find(UnsafeRawBufferPointer(agent)) { line.agent = name }
                        log.note(line)
                    }
                }
            }
        }
    }
}

import AuthKeys
import ControlBodies
import HTTPCredentials
import KeyAdministration
import RequestLog

extension RequestJSON {
    init(_ line: LoggedRequest) {
        self.init(
            at: line.at.description, requestID: line.id.description, method: line.method, path: line.path,
            status: Int(line.status), duration: Self.milliseconds(line.microseconds), bytesIn: line.bytesIn,
            bytesOut: line.bytesOut, flags: line.flags.names, weight: Int(line.weight))
        keyID = line.keyID?.description
        keyName = line.keyName
        owner = line.owner
        query = line.query
        code = line.code
        outcome = line.outcome?.name
        upstreamDuration = line.upstreamMicroseconds.map(Self.milliseconds)
        clientIP = line.address
        userAgent = line.agent
        upstream = line.upstream
        surface = line.surface?.name
        instance = line.instance
    }

    private static func milliseconds(_ microseconds: Int64) -> Double { Double(microseconds) / 1_000 }
}

import AuthKeys
import HTTPCredentials
import HTTPTypes
import Hummingbird
import KeyAdministration
import NIOCore

/// A route of the admin API: its permissions, its query parameters, its action in the audit trail, and its handler.
struct AdminRoute: Sendable {
    typealias Handler = @Sendable (Request, ControlContext, AdminCall) async throws -> Response
    /// Returns the id of the key that a request is about; nil if it is about no single key, or does not name one.
    typealias Subject = @Sendable (Request, ControlContext) async -> KeyID?

    let method: HTTPRequest.Method
    /// The path below the path of the group.
    let path: String
    /// The permissions of which the caller needs at least one.
    let permissions: [AdminPermission]
    /// The names of the accepted query parameters; each may appear once.
    let parameters: [String]
    let action: AuditAction
    let subject: Subject
    /// False if the handler neither reads a body nor writes more than a line. Such a route does not wait for the
    /// computing of other requests; this matters most for revocations.
    let computes: Bool
    /// True if the handler reads the body as a stream; otherwise the body is read before the handler is called.
    let streamsBody: Bool
    let handler: Handler

    init(
        _ method: HTTPRequest.Method, _ path: String = "", needs permissions: AdminPermission...,
        takes parameters: [String] = [], as action: AuditAction,
        about subject: @escaping Subject = AdminRoute.subjectInPath, computes: Bool = true,
        streamsBody: Bool = false, use handler: @escaping Handler
    ) {
        self.method = method
        self.path = path
        self.permissions = permissions
        self.parameters = parameters
        self.action = action
        self.subject = subject
        self.computes = computes
        self.streamsBody = streamsBody
        self.handler = handler
    }

    static let subjectInPath: Subject = { _, context in context.parameters.get("id").flatMap { KeyID($0) } }
}

/// Routes of the admin API below a common path.
protocol AdminRoutes: Sendable {
    static var path: String { get }
    /// The subject of the requests, for messages.
    static var noun: String { get }
    /// All routes of the group. A route exists only if it is listed here, and each listed route declares its
    /// permissions.
    var routes: [AdminRoute] { get }
}

extension AdminRoutes {
    static var noun: String { APIError.authKey }
}

/// Authenticates admins, and checks their permissions. Every admin route requires an admin credential; a data key is
/// never one. Refused attempts are recorded in the audit trail.
struct AdminAuthenticator: Sendable {
    let credentials: AdminCredentials
    let refusals: RefusalLog
    let attempts: FailedAttempts?
    let computing: ComputeExecutor

    func add<Routes: AdminRoutes>(_ group: Routes, to router: Router<ControlContext>) {
        for route in group.routes {
            router.on(RouterPath(Routes.path + route.path), method: route.method) { request, context in
                try await pass(request, context, to: route, about: Routes.noun)
            }
        }
    }

    private func pass(
        _ request: Request, _ context: ControlContext, to route: AdminRoute, about noun: String
    ) async throws -> Response {
        let admin: Admin
        do throws(CredentialRefusal) {
            admin = try await authenticate(request.head, for: route, context)
        } catch {
            let error = error.counted(in: attempts, from: context)
            if error.error.status.code < 500 {
                context.checkedCredential(isValid: false)
                let subject = await AdminRoute.subjectInPath(request, context)
                refusals.record(
                    event(error.error, of: error.admin, for: route, about: subject, context), isAuthenticated: false)
            }
            throw error.error
        }
        context.checkedCredential(isValid: true)
        var request = request
        var subject = AdminRoute.subjectInPath
        do {
            try Self.check(admin, for: route)
            if !route.streamsBody { try await request.readAwaitedBody() }
            // The body of a caller without the permission is not read, not even for the audit trail.
            subject = route.subject
            try QueryParameters(request.uri).check(takes: route.parameters)
            var context = context
            context.authorizeAgain = { [head = request.head, context] in
                try await authorizeAgain(admin, head, for: route, context)
            }
            return try await perform(route, request, context, AdminCall(admin: admin, origin: context.origin))
        } catch {
            guard let error = context.handlerError(error, about: noun) else { throw error }
            if error.status.code < 500, !route.action.isRead || error.status == .forbidden {
                refusals.record(
                    event(error, of: admin, for: route, about: await subject(request, context), context),
                    isAuthenticated: true)
            }
            throw error
        }
    }

    /// Returns the audit event of a refused attempt.
    private func event(
        _ error: APIError, of admin: Admin?, for route: AdminRoute, about subject: KeyID?, _ context: ControlContext
    ) -> NewAuditEvent {
        NewAuditEvent(
            actor: admin?.actor ?? .anonymous, origin: context.origin, action: route.action,
            subject: subject, owner: admin?.owner, refusal: error.shortName)
    }

    private func perform(
        _ route: AdminRoute, _ request: Request, _ context: ControlContext, _ call: AdminCall
    ) async throws -> Response {
        guard route.computes else { return try await route.handler(request, context, call) }
        return try await computing.respond { try await route.handler(request, context, call) }
    }

    private func authorizeAgain(
        _ admin: Admin, _ head: HTTPRequest, for route: AdminRoute, _ context: ControlContext
    ) async throws(APIError) {
        let now: Admin
        do throws(CredentialRefusal) {
            now = try await authenticate(head, for: route, context)
        } catch {
            throw error.error
        }
        try Self.check(now, for: route)
        guard now.sees(owner: admin.owner) else {
            throw APIError.unauthorized(.unknown, message: "the admin key's owner was changed during the request")
        }
    }

    /// Returns the one admin credential of a request.
    static func credential(of head: HTTPRequest) throws(CredentialRefusal) -> Substring {
        let values = head.headerFields[values: .authorization]
        guard values.count <= 1 else {
            throw CredentialRefusal(
                error: APIError(
                    .badRequest, .invalidRequest, "more than one Authorization header", param: "Authorization",
                    code: "ambiguous_credentials"))
        }
        guard let value = values.first, let candidate = BearerScheme.token(of: value), !candidate.isEmpty else {
            throw CredentialRefusal(
                error: .unauthorized(
                    .missing, message: "the admin key is required: 'Authorization: Bearer <admin key>'"))
        }
        return candidate
    }

    private static func check(_ admin: Admin, for route: AdminRoute) throws(APIError) {
        guard route.permissions.contains(where: admin.may) else {
            throw APIError.permissionMissing(route.permissions[0])
        }
    }

    private func authenticate(
        _ head: HTTPRequest, for route: AdminRoute, _ context: ControlContext
    ) async throws(CredentialRefusal) -> Admin {
        let candidate = try Self.credential(of: head)
        let authentication: AdminAuthentication
        do throws(StoreError) {
            authentication = try await credentials.authenticate(candidate, for: route.permissions)
        } catch {
            throw CredentialRefusal(error: context.apiError(.store(error)))
        }
        return try authentication.admin()
    }
}

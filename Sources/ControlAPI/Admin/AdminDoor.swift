import AuthKeys
import HTTPTypes
import Hummingbird
import NIOCore

/// A route of the admin API: what it needs, what the trail calls it, and what it does for whom.
struct AdminRoute: Sendable {
    typealias Handler = @Sendable (Request, ControlContext, AdminCall) async throws -> Response
    /// Says which key a request is about; nil for none in particular, or where the request does not tell.
    typealias Subject = @Sendable (Request, ControlContext) async -> KeyID?

    let method: HTTPRequest.Method
    /// Behind the group's path.
    let path: String
    /// Any of them will do.
    let permissions: [AdminPermission]
    /// What may stand in the query, once each.
    let parameters: [String]
    let action: AuditAction
    let subject: Subject
    let handler: Handler

    init(
        _ method: HTTPRequest.Method, _ path: String = "", needs permissions: AdminPermission...,
        takes parameters: [String] = [], as action: AuditAction,
        about subject: @escaping Subject = AdminRoute.subjectInPath,
        use handler: @escaping Handler
    ) {
        self.method = method
        self.path = path
        self.permissions = permissions
        self.parameters = parameters
        self.action = action
        self.subject = subject
        self.handler = handler
    }

    static let subjectInPath: Subject = { _, context in context.parameters.get("id").flatMap { KeyID($0) } }
}

/// Routes of the admin API with a path in common.
protocol AdminRoutes: Sendable {
    static var path: String { get }
    /// All of them. A route that is not here does not exist, and none can be here without what it needs.
    var routes: [AdminRoute] { get }
}

/// Lets admins in, each as far as they may. Nothing behind it answers without an admin credential, and a key that was issued for
/// an API is none. Who is turned away is put into the trail.
struct AdminDoor: Sendable {
    let credentials: AdminCredentials
    let refusals: RefusalLog

    func add<Routes: AdminRoutes>(_ group: Routes, to router: Router<ControlContext>) {
        for route in group.routes {
            router.on(RouterPath(Routes.path + route.path), method: route.method) { request, context in
                try await pass(request, context, to: route)
            }
        }
    }

    private func pass(_ request: Request, _ context: ControlContext, to route: AdminRoute) async throws -> Response {
        var admin: Admin?
        do {
            let authenticated = try await authenticate(request.head, context)
            admin = authenticated
            try Self.check(authenticated, for: route)
            try QueryCheck.check(request.uri, takes: route.parameters)
            var context = context
            context.authorizeAgain = { [head = request.head, context] in
                let now = try await authenticate(head, context)
                try Self.check(now, for: route)
                guard now.sees(owner: authenticated.owner) else {
                    throw APIError.unauthorized(.unknown, message: "the admin key's owner was changed meanwhile")
                }
            }
            return try await route.handler(request, context, AdminCall(admin: authenticated, origin: context.origin))
        } catch let error as APIError {
            if error.status.code < 500, !route.action.isRead || admin == nil || error.status == .forbidden {
                refusals.record(
                    NewAuditEvent(
                        actor: admin?.actor ?? .anonymous, origin: context.origin, action: route.action,
                        subject: await route.subject(request, context), owner: admin?.owner,
                        refusal: error.shortName))
            }
            throw error
        }
    }

    /// The one admin credential of a request.
    static func credential(of head: HTTPRequest) throws(APIError) -> Substring {
        let values = head.headerFields[values: .authorization]
        guard values.count <= 1 else {
            throw APIError(
                .badRequest, .invalidRequest, "more than one Authorization header", param: "Authorization",
                code: "ambiguous_credentials")
        }
        guard let value = values.first, let candidate = BearerScheme.token(of: value), !candidate.isEmpty else {
            throw APIError.unauthorized(
                .missing, message: "the admin key is required: 'Authorization: Bearer <admin key>'")
        }
        return candidate
    }

    private static func check(_ admin: Admin, for route: AdminRoute) throws(APIError) {
        guard route.permissions.contains(where: admin.may) else {
            throw APIError.permissionMissing(route.permissions[0])
        }
    }

    private func authenticate(_ head: HTTPRequest, _ context: ControlContext) async throws(APIError) -> Admin {
        let candidate = try Self.credential(of: head)
        let admin: Admin?
        do throws(StoreError) {
            admin = try await credentials.admin(presenting: candidate)
        } catch {
            throw context.apiError(AuthKeyError(error))
        }
        guard let admin else { throw APIError.unauthorized(.unknown, message: "the admin key is not known") }
        return admin
    }
}

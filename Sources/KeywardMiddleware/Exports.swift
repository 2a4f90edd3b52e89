// The middleware of the routes, which does not depend on PostgreSQL.
@_exported public import KeywardGuard

// The guard of the routes, which knows nothing of PostgreSQL.
@_exported public import KeywardGuard

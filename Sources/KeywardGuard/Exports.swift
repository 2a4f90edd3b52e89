// What an app meets of the domain.
@_exported public import struct AuthKeys.CredentialPlaces
@_exported public import struct AuthKeys.KeyID
@_exported public import struct AuthKeys.Principal
@_exported public import struct AuthKeys.ScopeRequirement
@_exported public import struct AuthKeys.Timestamp

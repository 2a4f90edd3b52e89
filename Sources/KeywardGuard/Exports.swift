@_exported public import struct AuthKeys.KeyID
@_exported public import struct AuthKeys.LimitOptions
@_exported public import struct AuthKeys.Principal
@_exported public import struct AuthKeys.ScopeRequirement
@_exported public import struct AuthKeys.Timestamp
// The types of the domain that an app uses.
@_exported public import struct HTTPCredentials.CredentialPlaces

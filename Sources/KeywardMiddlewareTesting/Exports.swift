@_exported public import KeywardGuard

@_exported public import struct AuthKeys.KeyAttributes
@_exported public import struct AuthKeys.LimitRule

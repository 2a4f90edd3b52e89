@_exported public import KeywardGuard

@_exported public import struct AuthKeys.KeyAttributes

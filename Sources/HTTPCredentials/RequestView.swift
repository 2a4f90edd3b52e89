public import AuthKeys

/// A request as its entry point received it, as bytes that are borrowed for the duration of a call.
public struct RequestView {
    public var credential: Credential<UnsafeRawBufferPointer>
    /// True for a CORS preflight (Fetch standard, section 3.2.2).
    public var isPreflight: Bool
    /// The attributes that policies evaluate. Its scopes are needed in addition to those of the rules.
    public var access: AccessRequest

    public init(credential: Credential<UnsafeRawBufferPointer>, isPreflight: Bool, access: AccessRequest) {
        self.credential = credential
        self.isPreflight = isPreflight
        self.access = access
    }
}

/// The name by which a control listener makes itself known, in the body of `/healthz`.
///
/// Clients look for it before they send an admin key: another server would read the key.
public enum ListenerIdentity {
    public static let service = "keyward-control"
}

/// The version of Keyward.
public enum KeywardVersion {
    public static let current = "0.1.0"
}

/// The name by which a control listener identifies itself, in the body of `/healthz`.
///
/// Clients check it before they send an admin key, because another server would learn the key.
public enum ListenerIdentity {
    public static let service = "keyward-control"
}

/// The version of Keyward.
public enum KeywardVersion {
    public static let current = "0.1.0"
}

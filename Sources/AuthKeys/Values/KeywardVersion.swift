/// The version of Keyward.
public enum KeywardVersion {
    public static let current = "0.1.0"
}

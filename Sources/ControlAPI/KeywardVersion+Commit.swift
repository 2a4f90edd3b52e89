public import AuthKeys
import CBuild

extension KeywardVersion {
    /// The commit of the build; nil if the build does not know it.
    public static let commit: String? = {
        let text = String(cString: keyward_commit())
        return text.isEmpty ? nil : text
    }()

    /// The version with the commit, such as `0.1.0 (8a55a9f0c2d1)`.
    public static let description = commit.map { "\(current) (\($0))" } ?? current
}

/// Expressions of the table `auth_key_secrets`.
package enum SecretSQL {
    /// The full prefix of a secret, including the separator.
    package static let shownPrefix = "CASE WHEN whole_prefix THEN prefix ELSE prefix || '_' END"

    /// The redacted value of `s`, a row of `auth_key_secrets`, as `AuthKey.redact` writes it.
    package static let redactedValue =
        "(CASE WHEN s.whole_prefix THEN s.prefix ELSE s.prefix || '_' END) || '...' || s.last_four"
}

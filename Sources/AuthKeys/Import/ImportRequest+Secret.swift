extension ImportRequest.Secret {
    /// The accepted lengths of a token. Shorter ones could be guessed.
    static let tokenLengths = 16...TokenScheme.lengthLimit

    /// Returns the validated secret. Errors contain no part of a token or a digest.
    /// - Parameter prefixes: the prefixes of the known schemes.
    func checked(prefixes: Set<String>) throws(AuthKeyError) -> ImportedSecret {
        let secret = try checkedSecret(prefixes)
        // The token is checked too, since the request may declare a shorter prefix.
        guard ![secret.prefix, token ?? ""].contains(where: { $0.hasPrefix("\(AdminKey.prefix)_") }) else {
            throw .invalid(
                param: "prefix", message: "prefix must not be \(AdminKey.prefix)_, which is reserved for admin keys")
        }
        return secret
    }

    private func checkedSecret(_ prefixes: Set<String>) throws(AuthKeyError) -> ImportedSecret {
        switch (token, digest) {
        case (let token?, nil): return try checked(token: token, prefixes)
        case (nil, let digest?): return try checked(digest: digest)
        case (nil, nil): throw .invalid(param: "digest", message: "a token or a digest is required")
        case (_?, _?): throw .invalid(param: "digest", message: "a token and a digest must not both be given")
        }
    }

    private func checked(token: String, _ prefixes: Set<String>) throws(AuthKeyError) -> ImportedSecret {
        for (value, param) in [(algorithm, "algorithm"), (encoding, "encoding"), (part, "of"), (lastFour, "last_four")]
        {
            if value != nil {
                throw .invalid(param: param, message: "\(param) is accepted with a digest only, not with a token")
            }
        }
        let bytes = Array(token.utf8)
        guard Self.tokenLengths.contains(bytes.count), bytes.allSatisfy(TokenScheme.isVisible) else {
            throw .invalid(
                param: "token",
                message:
                    "token must be \(Self.tokenLengths.lowerBound) to \(Self.tokenLengths.upperBound) visible ASCII characters"
            )
        }
        let digest = bytes.withUnsafeBytes { SecretDigest(hashing: $0) }
        let last = String(decoding: bytes.suffix(4), as: UTF8.self)
        let known = prefix.map { prefixes.union([$0]) } ?? prefixes
        let elsewhere = Array(TokenScheme.addresses(of: bytes, prefixes: known).subtracting([digest]))
        if bytes.withUnsafeBytes({ TokenFormat.isWellFormed($0) }) {
            let start = String(decoding: bytes.dropLast(TokenFormat.tailDigits), as: UTF8.self)
            return ImportedSecret(
                digest: digest, prefix: start, lastFour: last, scheme: nil, isToken: true, elsewhere: elsewhere)
        }
        let scheme = try scheme(.sha256, .token)
        guard token.hasPrefix(scheme.prefix), bytes.count >= scheme.prefix.utf8.count + 4 else {
            throw .invalid(param: "prefix", message: "prefix must be the beginning of the token")
        }
        return ImportedSecret(
            digest: digest, prefix: scheme.prefix, lastFour: last, scheme: scheme, isToken: true, elsewhere: elsewhere)
    }

    private func checked(digest: String) throws(AuthKeyError) -> ImportedSecret {
        let name = algorithm?.lowercased().replacing("-", with: "")
        guard let algorithm = name.flatMap(TokenScheme.Algorithm.init) else {
            throw Self.unknown("algorithm", TokenScheme.Algorithm.self)
        }
        guard let part = TokenScheme.Part(rawValue: part ?? TokenScheme.Part.token.rawValue) else {
            throw Self.unknown("of", TokenScheme.Part.self)
        }
        let scheme = try scheme(algorithm, part)
        let bytes = try DigestEncoding.decode(digest, encoding: encoding, algorithm: algorithm)
        guard let address = bytes.withUnsafeBytes({ scheme.address(ofDigest: $0) }) else {
            throw .invalid(param: "digest", message: "digest is not a \(algorithm.rawValue) digest")
        }
        let last = lastFour ?? ""
        guard last.utf8.count <= 4, last.utf8.allSatisfy(TokenScheme.isVisible) else {
            throw .invalid(param: "last_four", message: "last_four must be at most 4 visible ASCII characters")
        }
        return ImportedSecret(
            digest: address, prefix: scheme.prefix, lastFour: last, scheme: scheme, isToken: false)
    }

    private func scheme(
        _ algorithm: TokenScheme.Algorithm, _ part: TokenScheme.Part
    ) throws(AuthKeyError) -> TokenScheme {
        guard let prefix else {
            throw .invalid(
                param: "prefix",
                message: "prefix is required: the text that all tokens begin with, or an empty text")
        }
        guard part == .token || !prefix.isEmpty else {
            throw .invalid(param: "prefix", message: "prefix must not be empty if the digest is that of the suffix")
        }
        guard let scheme = TokenScheme(prefix: prefix, algorithm: algorithm, part: part) else {
            throw .invalid(
                param: "prefix",
                message: "prefix must be at most \(TokenScheme.prefixLimit) visible ASCII characters")
        }
        return scheme
    }

    private static func unknown<Choice: CaseIterable & RawRepresentable<String>>(
        _ param: String, _ choices: Choice.Type
    ) -> AuthKeyError {
        .invalid(
            param: param,
            message: "\(param) must be one of " + choices.allCases.map(\.rawValue).joined(separator: ", "))
    }
}

/// The encoding of a digest.
private enum DigestEncoding: String, CaseIterable {
    case hex, base64

    static func decode(
        _ text: String, encoding: String?, algorithm: TokenScheme.Algorithm
    ) throws(AuthKeyError) -> [UInt8] {
        let characters = Array(text.utf8)
        let declared = encoding.flatMap { DigestEncoding(rawValue: $0.lowercased()) }
        guard encoding == nil || declared != nil else {
            throw .invalid(param: "encoding", message: "encoding must be hex or base64")
        }
        // Without a declaration the length decides: hexadecimal takes half as much again as base64.
        let decoded =
            switch declared ?? (characters.count == algorithm.byteCount * 2 ? .hex : .base64) {
            case .hex: Hex.decode(characters)
            case .base64: base64(characters)
            }
        guard let decoded, decoded.count == algorithm.byteCount else {
            throw .invalid(
                param: "digest",
                message: "digest must be \(algorithm.byteCount) bytes (\(algorithm.rawValue)) in hex or base64")
        }
        return decoded
    }

    /// Decodes RFC 4648 sections 4 and 5, with or without padding.
    private static func base64(_ characters: [UInt8]) -> [UInt8]? {
        let body = characters.prefix { $0 != 0x3D }
        let padding = characters.dropFirst(body.count)
        guard padding.allSatisfy({ $0 == 0x3D }), padding.isEmpty || padding.count <= 2 && characters.count % 4 == 0
        else { return nil }
        return Base64URL.decode(body.map { $0 == 0x2B ? 0x2D : $0 == 0x2F ? 0x5F : $0 })
    }
}

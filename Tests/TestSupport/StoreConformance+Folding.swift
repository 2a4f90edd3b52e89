import AuthKeys

extension StoreConformance {
    /// A requirement that a database meets in every locale.
    public static let folding = StoreConformance(
        description: "a text search ignores case in every script"
    ) { store in
        let named = ["Äpfel", "äPFEL (neu)", "ÉCOLE", "Школа", "apfel", "100 % Öl", "移动支付"]
        for name in named { _ = try await store.create(newKey(name: name), claim: nil) }
        func names(_ text: String) async throws -> Set<String> {
            Set(try await store.list(KeyQuery(text: text)).map(\.name))
        }
        for text in ["äpfel", "ÄPFEL", "Äpf"] {
            try expect(try await names(text) == ["Äpfel", "äPFEL (neu)"], "\(text)")
        }
        try expect(try await names("École") == ["ÉCOLE"], "accents")
        try expect(try await names("шКОЛА") == ["Школа"], "Cyrillic")
        try expect(try await names("äpfel (NEU)") == ["äPFEL (neu)"], "characters with a meaning in patterns")
        try expect(try await names("% öl") == ["100 % Öl"], "and percent")
        try expect(try await names("ä.fel").isEmpty, "a period is literal")
        try expect(try await names("支付") == ["移动支付"], "letters without case")
        try expect(try await names("%\u{301}").isEmpty, "percent with a mark is not a wildcard")
    }
}

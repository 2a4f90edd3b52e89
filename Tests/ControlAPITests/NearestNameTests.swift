import Testing

@testable import ControlAPI

@Suite("Nearest name")
struct NearestNameTests {
    private let known = KeyPatchBody.CodingKeys.names

    @Test(
        "a near name is found",
        arguments: [
            ("expires", "expires_at"), ("expire_at", "expires_at"), ("expiresAt", "expires_at"),
            ("EXPIRES-AT", "expires_at"),
            ("allowed_cidr", "allowed_cidrs"), ("allowedMethod", "allowed_methods"), ("paths", "allowed_paths"),
            ("scope", "scopes"), ("label", "labels"), ("discription", "description"), ("nbf", nil), ("ttl", nil),
            ("", nil),
            ("x", nil), ("_", nil), ("zzzzzzzzzzzz", nil),
        ] as [(String, String?)])
    func nearest(_ name: String, _ expected: String?) {
        #expect(NearestName.of(name, among: known) == expected)
    }

    @Test("a long name has no near name")
    func long() {
        #expect(NearestName.of(String(repeating: "name", count: 100_000), among: known) == nil)
        #expect(NearestName.of("name", among: []) == nil)
    }
}

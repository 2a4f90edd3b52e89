import Hummingbird
import KeywardMiddleware
import Logging

@main
struct DocumentsApp {
    static func main() async throws {
        let logger = Logger(label: "documents")
        let keyward = try Keyward(
            database: Environment().get("KEYWARD_DATABASE_URL") ?? "postgres://localhost/keyward", logger: logger)
        try await buildApplication(keyward: keyward, logger: logger).runService()
    }
}

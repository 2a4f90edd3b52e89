import Hummingbird
import Logging

// A minimal Hummingbird server, with which Keyward's own Hummingbird listener is compared.

let router = Router()
router.get("/") { _, _ in "hello" }
let port = CommandLine.arguments.dropFirst().first.flatMap { Int($0) } ?? 8080
let application = Application(
    router: router, configuration: ApplicationConfiguration(address: .hostname("127.0.0.1", port: port)),
    logger: Logger(label: "hello") { _ in SwiftLogNoOpLogHandler() })
try await application.runService()

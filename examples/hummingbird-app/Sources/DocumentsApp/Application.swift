import Hummingbird
import KeywardMiddleware
import Logging

/// Builds the app. It takes a `Keyward` in production, and a `TestKeyward` in tests.
func buildApplication(
    keyward: some KeyVerification, configuration: ApplicationConfiguration = ApplicationConfiguration(), logger: Logger
) -> some ApplicationProtocol {
    let documents = Documents()
    let router = Router(context: AppContext.self)

    router.group("documents").add(middleware: keyward.keys(scopes: "documents:read"))
        .get { _, _ in await documents.all }

    router.group("documents").add(middleware: keyward.keys(scopes: "documents:write"))
        .post { request, context in
            let caller = try context.requirePrincipal()
            let text = try await request.body.collect(upTo: 65_536)
            return EditedResponse(
                status: .created,
                response: await documents.add(String(buffer: text), author: caller.owner ?? caller.name))
        }

    // The key is optional on this route.
    router.group("hello").add(middleware: keyward.optionalKeys())
        .get { _, context in "hello, \(context.principal?.name ?? "stranger")" }

    var application = Application(
        router: router, configuration: configuration, services: [keyward], logger: logger)
    // The server starts after the keys are loaded.
    application.beforeServerStarts { try await keyward.ready() }
    return application
}

import ControlBodies
import Glibc

/// Printing of secrets, which the control listener sends only once.
extension ClientOptions {
    /// Prints a key and its new secret.
    /// - Parameter isRotation: true if the key had a secret before.
    func print(issued answer: ControlClient.Answer, isRotation: Bool) throws {
        let id = try? ControlClient.decode(KeyJSON.self, answer).id
        let rotate = "'keyward keys rotate \(id ?? "ID")' creates a new one"
        try print(
            secretIn: answer, of: "key \(id ?? "that was created")",
            remedy: isRotation ? "\(rotate), and revokes the secret from before this rotation at once" : rotate
        ) {
            let key = try ControlClient.decode(KeyJSON.self, answer)
            return (KeyTable.details(key), key.value)
        }
    }

    /// Prints a new admin key and its secret.
    func print(issuedAdminKey answer: ControlClient.Answer) throws {
        let id = try? ControlClient.decode(AdminKeyJSON.self, answer).id
        try print(
            secretIn: answer, of: "admin key \(id ?? "that was created")",
            remedy: "deactivate it ('keyward admin-keys deactivate \(id ?? "ID")') and create another"
        ) {
            let key = try ControlClient.decode(AdminKeyJSON.self, answer)
            return (AdminKeyTable.details(key), key.value)
        }
    }

    /// Prints the details and the secret in one write, and flushes a file to its disk.
    /// - Throws: an error with the remedy if the output cannot be written, because the secret is stored nowhere.
    private func print(
        secretIn answer: ControlClient.Answer, of subject: String, remedy: String,
        _ read: () throws -> (details: [String], secret: String?)
    ) throws {
        var lines = [String(decoding: answer.body, as: UTF8.self)]
        if !json {
            let (details, secret) = try read()
            lines = details + ["", "The secret, shown this once:", secret ?? ""]
        }
        do {
            try Console.out(lines)
            try Console.flush(STDOUT_FILENO, named: Console.standardOutput)
        } catch {
            throw CommandError(
                .failure, "\(error); the new secret of \(subject) is lost, because it is not stored: \(remedy)")
        }
    }
}

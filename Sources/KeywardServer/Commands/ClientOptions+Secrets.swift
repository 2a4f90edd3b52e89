import Glibc

/// How commands print a secret, which the control listener answers only once.
extension ClientOptions {
    /// Prints a key and the secret that was just made for it.
    /// - Parameter isRotation: whether the key had a secret before.
    func print(issued answer: ControlClient.Answer, isRotation: Bool) throws {
        let id = try? ControlClient.decode(ControlClient.Key.self, answer).id
        let rotate = "'keyward keys rotate \(id ?? "ID")' gives it a new one"
        try print(
            secretIn: answer, of: "key \(id ?? "that was made")",
            wayOut: isRotation ? "\(rotate), and ends the secret from before this rotation at once" : rotate
        ) {
            let key = try ControlClient.decode(ControlClient.Key.self, answer)
            return (KeyTable.details(key), key.value)
        }
    }

    /// Prints an admin key that was just made, and its secret.
    func print(issuedAdminKey answer: ControlClient.Answer) throws {
        let id = try? ControlClient.decode(ControlClient.AdminKey.self, answer).id
        try print(
            secretIn: answer, of: "admin key \(id ?? "that was made")",
            wayOut: "deactivate it ('keyward admin-keys deactivate \(id ?? "ID")') and create another"
        ) {
            let key = try ControlClient.decode(ControlClient.AdminKey.self, answer)
            return (AdminKeyTable.details(key), key.value)
        }
    }

    /// Prints all in one write, onto the disk where it goes to a file.
    /// - Throws: with the way out, when it cannot be written: the secret is kept nowhere.
    private func print(
        secretIn answer: ControlClient.Answer, of subject: String, wayOut: String,
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
            throw StartError("\(error); the new secret of \(subject) is lost, since it is not kept: \(wayOut)")
        }
    }
}

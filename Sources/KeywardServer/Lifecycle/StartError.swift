/// The reason why Keyward did not start or cannot continue, in one line for the operator.
struct StartError: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) {
        self.description = description
    }
}

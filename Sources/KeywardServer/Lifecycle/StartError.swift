/// Why Keyward did not start, or cannot go on. One line for whoever started it.
struct StartError: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) {
        self.description = description
    }
}

import KeywardServer

@main
enum Keyward {
    static func main() async {
        await KeywardProgram.run()
    }
}

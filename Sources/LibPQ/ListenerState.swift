/// The decisions of one listening connection: when to ping itself, and when to give up on it.
///
/// A connection that is alive can still be deaf: its LISTEN gone, or its notifications stuck. Only a notification that
/// makes the whole way round proves that others would.
struct ListenerState {
    enum Event: Hashable {
        /// LISTEN has been confirmed, or a ping's interval has passed.
        case intervalPassed
        /// The notification with this number has come back.
        case echo(UInt64)
        /// The time for this number to come back has passed.
        case boundPassed(UInt64)
        case failed
    }

    enum Action: Hashable {
        case ping(UInt64)
        /// Everything up to this ping has been heard.
        case confirm
        case giveUp
        case nothing
    }

    private var lastPing: UInt64 = 0
    private var isWaiting = false

    mutating func receive(_ event: Event) -> Action {
        switch event {
        case .intervalPassed:
            guard !isWaiting else { return .nothing }
            lastPing += 1
            isWaiting = true
            return .ping(lastPing)
        case .echo(let number):
            guard isWaiting, number == lastPing else { return .nothing }
            isWaiting = false
            return .confirm
        case .boundPassed(let number):
            return isWaiting && number == lastPing ? .giveUp : .nothing
        case .failed:
            return .giveUp
        }
    }
}

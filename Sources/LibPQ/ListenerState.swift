/// The state machine of one listening connection: when to ping itself, and when to give up.
///
/// A live connection can still fail to deliver: its LISTEN may be gone, or its notifications stuck. Only a notification
/// that makes the whole round trip proves that others arrive.
struct ListenerState {
    enum Event: Hashable {
        /// LISTEN was confirmed, or a ping's interval has passed.
        case intervalPassed
        /// The notification with this number arrived.
        case echo(UInt64)
        /// The time for this number to arrive has passed.
        case boundPassed(UInt64)
        case failed
    }

    enum Action: Hashable {
        case ping(UInt64)
        /// Everything sent before this ping has arrived.
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

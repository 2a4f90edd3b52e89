import NIOCore

/// A queue that serves the holders of its elements in turn, and the elements of one holder in order of arrival.
struct FairQueue<Element: Identifiable, Holder: Hashable> {
    private var queues: [Holder: CircularBuffer<Element>] = [:]
    /// The holders that have elements, in order of their turns.
    private var turns = CircularBuffer<Holder>()
    private(set) var count = 0

    var holders: some Collection<Holder> { queues.keys }

    func contains(_ element: Element, of holder: Holder) -> Bool {
        queues[holder]?.contains { $0.id == element.id } ?? false
    }

    mutating func append(_ element: Element, of holder: Holder) {
        if queues[holder] == nil { turns.append(holder) }
        queues[holder, default: CircularBuffer()].append(element)
        count += 1
    }

    /// Removes the first element of the next holder that satisfies `fits`.
    mutating func popFirst(where fits: (Holder) -> Bool) -> (element: Element, holder: Holder)? {
        for _ in 0..<turns.count {
            let holder = turns.removeFirst()
            turns.append(holder)
            guard fits(holder), let element = queues[holder]?.popFirst() else { continue }
            count -= 1
            removeIfEmpty(holder)
            return (element, holder)
        }
        return nil
    }

    mutating func remove(_ element: Element, of holder: Holder) {
        guard let index = queues[holder]?.firstIndex(where: { $0.id == element.id }) else { return }
        queues[holder]?.remove(at: index)
        count -= 1
        removeIfEmpty(holder)
    }

    private mutating func removeIfEmpty(_ holder: Holder) {
        guard queues[holder]?.isEmpty ?? false else { return }
        queues[holder] = nil
        turns.removeAll { $0 == holder }
    }
}

/// The cells of a key for whose answers a request may wait.
package struct AwaitedCells: Sendable {
    var limits: [LimitID] = []
    var credits: LimitID?
}

/// The reason for which a question of a cell has no answer.
enum QuestionFailure: Sendable, Equatable {
    /// The row is missing.
    case lacksRow
    /// The statement had no effect.
    case withoutEffect
    /// The statement may have taken effect.
    case unknown

    init(_ error: StoreError) {
        self = error.kind == .outcomeUnknown ? .unknown : .withoutEffect
    }
}

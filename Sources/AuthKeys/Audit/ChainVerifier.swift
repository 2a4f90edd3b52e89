/// Verifies that the trail is what was sealed. It is given the chain in order, then the events, and needs memory only
/// for its findings.
public struct ChainVerifier: Sendable {
    /// A defect of a row.
    public struct Finding: Sendable, Equatable {
        public enum Kind: String, Sendable {
            /// The event, or its seal, differs from what was sealed.
            case changed
            /// An event or a seal is missing.
            case removed
            /// An event was added after its position in the chain was sealed.
            case inserted
            /// An event could have been sealed, and is not.
            case unsealed
            /// A link that was recorded elsewhere is not in the chain.
            case anchor
        }

        public let kind: Kind
        /// The position in the chain, if the finding concerns one.
        public let sequence: Int64?
        public let event: Int64?
        public let message: String
    }

    /// The maximum number of findings kept; further ones are only counted.
    public static let findingLimit = 100
    /// The maximum time an event may stay unsealed once it can be sealed.
    static let timeout = Duration.seconds(60)

    public private(set) var findings: [Finding] = []
    public private(set) var findingCount = 0
    public private(set) var sealedCount = 0
    /// The number of events that wait for their seal.
    public private(set) var pendingCount = 0
    public private(set) var head: AuditSeal?

    private let anchor: AuditEvent.Place?
    private var metAnchor = false

    /// - Parameter anchor: a link that was once the head.
    public init(anchor: AuditEvent.Place? = nil) {
        self.anchor = anchor
    }

    public var isIntact: Bool { findingCount == 0 }

    /// Verifies the next link.
    public mutating func take(_ link: SealedEvent) {
        let seal = link.seal
        sealedCount += 1
        let expected = (head?.sequence ?? 0) + 1
        if seal.sequence != expected {
            let gone =
                seal.sequence - 1 == expected ? "seal \(expected) is" : "seals \(expected) to \(seal.sequence - 1) are"
            find(.removed, sequence: expected, message: "\(gone) gone")
        }
        if let event = link.event {
            // After a gap, the hash of the previous link is not known.
            if seal.sequence == expected, seal.expectedHash(of: event, previous: head?.hash) != seal.hash {
                find(.changed, sequence: seal.sequence, event: event.id, message: "the event or its seal was changed")
            }
            if let head, head.history == seal.history, event.transaction < head.horizon {
                find(
                    .inserted, sequence: seal.sequence, event: event.id,
                    message: "the event is older than the event sealed before it")
            }
        } else {
            find(.removed, sequence: seal.sequence, event: seal.event, message: "the event is gone")
        }
        if let anchor, anchor.sequence == seal.sequence {
            metAnchor = true
            if anchor.hash != seal.hash {
                find(
                    .anchor, sequence: seal.sequence, event: seal.event,
                    message: "the seal differs from the expected one")
            }
        }
        head = seal
    }

    /// Ends the chain; the events follow.
    public mutating func takeEnd() {
        guard let anchor, !metAnchor else { return }
        find(
            .anchor, sequence: anchor.sequence,
            message: "the expected seal is missing: the chain ends at \(head?.sequence ?? 0)")
    }

    /// Verifies events that may be unsealed.
    /// - Parameter before: the status before the last attempt to seal.
    public mutating func take(_ page: UnsealedPage, before: AuditStatus) {
        let isSameHistory = head?.history == before.history
        for event in page.events {
            if isSameHistory, let head, event.transaction < head.horizon {
                find(.inserted, event: event.id, message: "the event is not sealed, but later ones are")
            } else if event.transaction >= page.next, isSameHistory {
                find(.inserted, event: event.id, message: "the event names a transaction that has not begun yet")
            } else if event.transaction < before.horizon, event.at.advanced(by: Self.timeout) < before.now {
                find(.unsealed, event: event.id, message: "the event has not been sealed for more than a minute")
            } else {
                pendingCount += 1
            }
        }
    }

    private mutating func find(
        _ kind: Finding.Kind, sequence: Int64? = nil, event: Int64? = nil, message: String
    ) {
        findingCount += 1
        guard findings.count < Self.findingLimit else { return }
        findings.append(Finding(kind: kind, sequence: sequence, event: event, message: message))
    }
}

extension AuditTrail {
    /// Verifies the whole trail, page by page, after sealing all that can be sealed.
    public func verify(anchor: AuditEvent.Place? = nil, pageSize: Int = 1_000) async throws(StoreError) -> ChainVerifier
    {
        var verifier = ChainVerifier(anchor: anchor)
        let before = try await auditStatus()
        // If sealing fails, unsealed events become findings.
        while let count = try? await seal(), count >= SealingState.batch {}
        while true {
            let page = try await sealed(after: verifier.head?.sequence ?? 0, limit: pageSize)
            for link in page { verifier.take(link) }
            if page.count < pageSize { break }
        }
        verifier.takeEnd()
        var last: Int64? = Int64.min
        while let id = last {
            let page = try await unsealed(after: id, limit: pageSize)
            verifier.take(page, before: before)
            last = page.last
        }
        return verifier
    }
}

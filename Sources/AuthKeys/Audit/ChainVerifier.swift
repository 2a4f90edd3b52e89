/// Whether the trail is what was sealed. Is fed the chain in its order, then the events; needs memory for its findings alone.
public struct ChainVerifier: Sendable {
    /// What is wrong with a row.
    public struct Finding: Sendable, Equatable {
        public enum Kind: String, Sendable {
            /// The event, or its seal, is not what was sealed.
            case changed
            /// An event or a seal is gone.
            case removed
            /// An event is there that was not when its place in the chain was sealed.
            case inserted
            /// An event could have been sealed, and is not.
            case unsealed
            /// A link that was kept elsewhere is not in the chain.
            case anchor
        }

        public let kind: Kind
        /// The place in the chain, if it is about one.
        public let sequence: Int64?
        public let event: Int64?
        public let message: String
    }

    /// How many findings are kept; the others are counted.
    public static let findingLimit = 100
    /// How long an event may wait for its seal once nothing stands against it.
    static let timeout = Duration.seconds(60)

    public private(set) var findings: [Finding] = []
    public private(set) var findingCount = 0
    public private(set) var sealedCount = 0
    /// Events that wait for their seal.
    public private(set) var pendingCount = 0
    public private(set) var head: AuditSeal?

    private let anchor: AuditEvent.Place?
    private var metAnchor = false

    /// - Parameter anchor: a link that was the head once.
    public init(anchor: AuditEvent.Place? = nil) {
        self.anchor = anchor
    }

    public var isIntact: Bool { findingCount == 0 }

    /// The next link.
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
            // Behind a gap, the hash of the link before is not known.
            if seal.sequence == expected, seal.expectedHash(of: event, previous: head?.hash) != seal.hash {
                find(.changed, sequence: seal.sequence, event: event.id, message: "the event or its seal was changed")
            }
            if let head, head.history == seal.history, event.transaction < head.horizon {
                find(
                    .inserted, sequence: seal.sequence, event: event.id,
                    message: "the event is older than what was sealed before it")
            }
        } else {
            find(.removed, sequence: seal.sequence, event: seal.event, message: "the event is gone")
        }
        if let anchor, anchor.sequence == seal.sequence {
            metAnchor = true
            if anchor.hash != seal.hash {
                find(.anchor, sequence: seal.sequence, event: seal.event, message: "the seal is not the one expected")
            }
        }
        head = seal
    }

    /// The chain has been taken to its end; now come the events.
    public mutating func takeEnd() {
        guard let anchor, !metAnchor else { return }
        find(
            .anchor, sequence: anchor.sequence,
            message: "the seal expected is not there: the chain ends at \(head?.sequence ?? 0)")
    }

    /// Events, as far as they are not sealed.
    /// - Parameter before: how things stood before the last attempt to seal.
    public mutating func take(_ page: UnsealedPage, before: AuditStatus) {
        let isSameHistory = head?.history == before.history
        for event in page.events {
            if isSameHistory, let head, event.transaction < head.horizon {
                find(.inserted, event: event.id, message: "the event is not sealed, and younger ones are")
            } else if event.transaction >= page.next, isSameHistory {
                find(.inserted, event: event.id, message: "the event names a transaction that has not been yet")
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
    /// Goes through the whole trail, a page at a time. What can be sealed is sealed first.
    public func verify(anchor: AuditEvent.Place? = nil, pageSize: Int = 1_000) async throws(StoreError) -> ChainVerifier
    {
        var verifier = ChainVerifier(anchor: anchor)
        let before = try await auditStatus()
        // If it fails, what is not sealed is a finding.
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

import NIOCore

/// The Huffman code of RFC 7541 appendix B, decoded four bits at a time.
///
/// The code is canonical: the lengths of its codes, in the order of the symbols, determine the codes.
enum HPACKHuffman {
    /// The lengths in bits of the codes of the bytes 0 to 255, then of the end-of-string symbol.
    private static let lengths: [UInt8] = [
        13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28,
        28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 28,
        6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6,
        5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10,
        13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7,
        7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6,
        15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5,
        6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28,
        20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23,
        24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24,
        22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23,
        21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23,
        26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25,
        19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27,
        20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23,
        26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26,
        30,
    ]

    private static let endOfString = 256

    /// A node in the tree of codes.
    private struct Node {
        /// By the next bit; 0 for none, since no code leads to the root.
        var children: (UInt16, UInt16) = (0, 0)
        var symbol: UInt16?
        /// True if a string may end here: fewer than eight bits were read since the last symbol, all ones (section
        /// 5.2).
        var isEnd = false
    }

    /// The transition from a node for four bits.
    private struct Step {
        var next: UInt16 = 0
        var symbol: UInt8 = 0
        var hasSymbol = false
        var isEnd = false
        /// True if there is no such code, or for the end-of-string symbol, which must not be sent (section 5.2).
        var isInvalid = true
    }

    /// The steps, by node and four bits.
    private static let steps = makeSteps(makeTree())

    /// The codes of the bytes, each with its length in bits.
    private static let codes = makeCodes()

    /// Returns the number of bytes of the encoded text.
    static func length(of bytes: UnsafeRawBufferPointer) -> Int {
        (bytes.reduce(0) { $0 + Int(lengths[Int($1)]) } + 7) / 8
    }

    /// Appends the code of the bytes, padded with ones (RFC 7541 section 5.2).
    static func encode(_ bytes: UnsafeRawBufferPointer, to out: inout ByteBuffer) {
        var pending: UInt64 = 0
        var count: UInt64 = 0
        for byte in bytes {
            let length = UInt64(lengths[Int(byte)])
            pending = pending << length | UInt64(codes[Int(byte)])
            count += length
            while count >= 8 {
                count -= 8
                out.writeInteger(UInt8(truncatingIfNeeded: pending >> count))
            }
        }
        guard count > 0 else { return }
        out.writeInteger(UInt8(truncatingIfNeeded: pending << (8 - count) | 0xFF >> count))
    }

    /// Appends the decoded bytes. Returns false if the bytes or their padding are invalid.
    static func decode(_ bytes: UnsafeRawBufferPointer, to out: inout [UInt8]) -> Bool {
        steps.withUnsafeBufferPointer { steps in
            var node = 0
            var isEnd = true
            func take(_ half: UInt8) -> Bool {
                let step = steps[node << 4 | Int(half)]
                if step.isInvalid { return false }
                if step.hasSymbol { out.append(step.symbol) }
                (node, isEnd) = (Int(step.next), step.isEnd)
                return true
            }
            for byte in bytes {
                guard take(byte >> 4), take(byte & 0xF) else { return false }
            }
            return isEnd
        }
    }

    private static func makeCodes() -> [UInt32] {
        var codes = lengths.map { _ in UInt32(0) }
        var code: UInt32 = 0
        var length: UInt8 = 0
        for symbol in lengths.indices.sorted(by: { (lengths[$0], $0) < (lengths[$1], $1) }) {
            code <<= UInt32(lengths[symbol] - length)
            length = lengths[symbol]
            codes[symbol] = code
            code += 1
        }
        return codes
    }

    private static func makeTree() -> [Node] {
        var tree = [Node(isEnd: true)]
        for (symbol, code) in codes.enumerated() {
            insert(symbol, code: code, length: lengths[symbol], into: &tree)
        }
        return tree
    }

    private static func insert(_ symbol: Int, code: UInt32, length: UInt8, into tree: inout [Node]) {
        var node = 0
        var isOnes = true
        for depth in 1...length {
            let bit = code >> UInt32(length - depth) & 1
            isOnes = isOnes && bit == 1
            var child = Int(bit == 0 ? tree[node].children.0 : tree[node].children.1)
            if child == 0 {
                child = tree.count
                tree.append(Node(isEnd: isOnes && depth < 8))
                if bit == 0 { tree[node].children.0 = UInt16(child) } else { tree[node].children.1 = UInt16(child) }
            }
            node = child
        }
        tree[node].symbol = UInt16(symbol)
    }

    private static func makeSteps(_ tree: [Node]) -> [Step] {
        var steps = Array(repeating: Step(), count: tree.count << 4)
        for (start, node) in tree.enumerated() where node.symbol == nil {
            for half in 0..<16 { steps[start << 4 | half] = step(from: start, half, in: tree) }
        }
        return steps
    }

    private static func step(from start: Int, _ half: Int, in tree: [Node]) -> Step {
        var step = Step(isInvalid: false)
        var node = start
        for bit in [half >> 3 & 1, half >> 2 & 1, half >> 1 & 1, half & 1] {
            node = Int(bit == 0 ? tree[node].children.0 : tree[node].children.1)
            guard node != 0, tree[node].symbol.map({ $0 != endOfString }) ?? true else { return Step() }
            guard let symbol = tree[node].symbol else { continue }
            step.symbol = UInt8(truncatingIfNeeded: symbol)
            step.hasSymbol = true
            node = 0
        }
        step.next = UInt16(node)
        step.isEnd = tree[node].isEnd
        return step
    }
}

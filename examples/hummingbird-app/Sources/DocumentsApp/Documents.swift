import Hummingbird

struct Document: ResponseCodable, Equatable {
    let id: Int
    let text: String
    let author: String
}

/// A store of documents in memory.
actor Documents {
    private var documents: [Document] = []

    var all: [Document] { documents }

    func add(_ text: String, author: String) -> Document {
        let document = Document(id: documents.count + 1, text: text, author: author)
        documents.append(document)
        return document
    }
}

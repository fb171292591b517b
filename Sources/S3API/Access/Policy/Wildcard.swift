/// A text in which `*` stands for any characters and `?` for one.
struct Wildcard: Hashable, Sendable {
    private let pattern: [Unicode.Scalar]
    let hasWildcards: Bool

    init(_ text: String) {
        pattern = Array(text.unicodeScalars)
        hasWildcards = pattern.contains("*") || pattern.contains("?")
    }

    /// Takes time in proportion to the product of the lengths at worst.
    func matches(_ text: String) -> Bool { matches(Array(text.unicodeScalars)) }

    func matches(_ text: [Unicode.Scalar]) -> Bool {
        var position = 0
        var index = 0
        // Where to go on when what follows the last star does not fit.
        var star: (index: Int, position: Int)?
        while position < text.count {
            if index < pattern.count, pattern[index] == "*" {
                star = (index, position)
                index += 1
            } else if index < pattern.count, pattern[index] == "?" || pattern[index] == text[position] {
                index += 1
                position += 1
            } else if let last = star {
                star = (last.index, last.position + 1)
                index = last.index + 1
                position = last.position + 1
            } else {
                return false
            }
        }
        return pattern[index...].allSatisfy { $0 == "*" }
    }
}

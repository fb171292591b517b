internal import Core
internal import Metadata

/// A fragment on its way to the node that a new layout adds for it.
struct Move: Sendable {
    let fragment: FragmentID
    let blob: BlobRecord
    let target: NodeID
}

/// Which fragment moves next: one whose new node has room for it.
struct MoveSchedule<Moves: IteratorProtocol> where Moves.Element == Move {
    /// Moves that wait for their node while others are looked for.
    private static var lookAhead: Int { 512 }

    private var moves: Moves
    private var slots: TransferSlots
    private var waiting: [Move] = []

    init(moves: Moves, slots: TransferSlots) {
        self.moves = moves
        self.slots = slots
    }

    /// - Parameter stuck: blobs of which a fragment could not be moved: no more of them is tried now.
    mutating func next(except stuck: Set<BlobID>) -> Move? {
        guard !slots.isFull else { return nil }
        if let index = waiting.firstIndex(where: { slots.hasRoom(for: $0.target) }) {
            let move = waiting.remove(at: index)
            if stuck.contains(move.fragment.chunk.blob) { return next(except: stuck) }
            slots.begin(move.target)
            return move
        }
        while waiting.count < Self.lookAhead, let move = moves.next() {
            if stuck.contains(move.fragment.chunk.blob) { continue }
            guard slots.hasRoom(for: move.target) else {
                waiting.append(move)
                continue
            }
            slots.begin(move.target)
            return move
        }
        return nil
    }

    mutating func ended(_ move: Move) { slots.end(move.target) }
}

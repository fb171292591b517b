internal import ChunkTransport
internal import Core
internal import ErasureCoding
internal import Logging
internal import Metadata
internal import Placement

/// How new chunks are stored, and where.
extension ObjectStore {
    /// The class of a new blob: what the client asked for, else the bucket's, else the cluster's default.
    /// - Throws: ``StoreError/storageClassUnavailable(_:required:available:)`` when the client asked for more nodes than there are.
    func storageClass(wanted: StorageClass?, bucket: BucketRecord, in layout: Layout) throws -> StorageClass {
        guard let wanted else { return storageClass(of: bucket, in: layout) }
        guard case .coded(let code) = wanted else { return wanted }
        guard layout.members.count >= code.width else {
            throw StoreError.storageClassUnavailable(wanted, required: code.width, available: layout.members.count)
        }
        return wanted
    }

    /// The class of what asks for none in a bucket. While there are too few nodes for it, what is written is kept as copies.
    func storageClass(of bucket: BucketRecord, in layout: Layout) -> StorageClass {
        bucket.storageClass.flatMap(StorageClass.init) ?? defaultStorageClass(in: layout)
    }

    /// What becomes of a blob for which a class is wanted, as far as its size decides: one that a code would cut too small is kept as
    /// as many copies as survive the losses that the code survives.
    func effective(_ wanted: StorageClass, byteCount: Int64, in layout: Layout) -> StorageClass {
        guard case .coded(let code) = wanted, byteCount <= configuration.smallObjectLimit else { return wanted }
        return copies(inPlaceOf: code, in: layout)
    }

    /// As many losses are survived as with the code.
    func copies(inPlaceOf code: ErasureCode, in layout: Layout) -> StorageClass {
        let copies = code.parityCount + 1
        return copies == layout.replicas ? .replicated : .copies(copies)
    }

    /// The class of what asks for none where nothing else is said.
    func defaultStorageClass(in layout: Layout) -> StorageClass { configuration.storageClass(memberCount: layout.members.count) }

    /// Fragments of a chunk that must be durable before it counts as written. Of an erasure code one more than are needed to read
    /// it: what was acknowledged survives the loss of any node.
    func quorum(of storageClass: StorageClass, in layout: Layout) -> Int {
        switch storageClass {
        case .replicated: min(configuration.writeQuorum, layout.replicas)
        case .copies(let count): min(configuration.writeQuorum, count, layout.members.count)
        case .coded(let code): code.dataCount + 1
        }
    }

    func encoder(for storageClass: StorageClass) -> PieceEncoder {
        PieceEncoder(storageClass, chunkSize: configuration.chunkSize, pieceSize: configuration.pieceSize, coders: coders)
    }

    /// Whether enough members are up for a quorum of a class.
    func canPlace(_ storageClass: StorageClass, in layout: Layout) -> Bool {
        layout.members.count { nodes.state(of: $0.node) == .up } >= quorum(of: storageClass, in: layout)
    }

    /// Chooses the nodes of a new chunk: those of the layout that answer, and the next in order for those that do not.
    /// - Throws: ``StoreError/notEnoughNodes(available:required:)``.
    func place(_ chunk: ChunkID, _ storageClass: StorageClass, layout: Layout, quorum: Int) throws -> ChunkWrite {
        let slots = map.slots(of: chunk, storageClass, in: layout)
        let substitutes = map.substitutes(for: chunk, storageClass, in: layout)
        var chosen = [NodeID?](repeating: nil, count: slots.count)
        // Better a node in doubt than no upload.
        for state in [NodeState.up, .suspect, .failing] where chosen.count(where: { $0 != nil }) < quorum {
            for (index, slot) in slots.enumerated() where chosen[index] == nil {
                if let node = slot.node, nodes.state(of: node) == state { chosen[index] = node }
            }
            let taken = Set(chosen.compactMap { $0 })
            var covering = substitutes.filter { !taken.contains($0) && nodes.state(of: $0) == state }[...]
            for index in chosen.indices where chosen[index] == nil { chosen[index] = covering.popFirst() }
        }
        let homes = zip(slots, chosen).compactMap { slot, node in node.map { Home(fragment: slot.fragment, node: $0) } }
        guard homes.count >= quorum else { throw StoreError.notEnoughNodes(available: homes.count, required: quorum) }
        return ChunkWrite(chunk: chunk, storageClass: storageClass, homes: homes, piecesInFlight: configuration.piecesInFlight)
    }

    /// Has nodes that took no part fetch or compute what the chunk lacks, from those that have theirs, until `count` have.
    /// - Returns: how many have.
    func replace(_ count: Int, of chunk: ChunkWrite, layout: Layout) async -> Int {
        let written = chunk.written
        guard !written.isEmpty else { return 0 }
        let slots = map.slots(of: chunk.chunk, chunk.storageClass, in: layout)
        let present = Set(written.map(\.fragment))
        let isCoded = chunk.storageClass.fragmentNumbers.count > 1
        var lacking = slots.map(\.fragment).filter { !isCoded || !present.contains($0) }[...]
        let taken = Set(chunk.targets.map(\.node))
        let candidates = slots.compactMap(\.node) + map.substitutes(for: chunk.chunk, chunk.storageClass, in: layout)
        var replaced = 0
        for node in candidates where replaced < count && !taken.contains(node) && nodes.state(of: node) == .up {
            guard let fragment = lacking.popFirst(), let transport = nodes.transport(to: node) else { break }
            do {
                try await transfer(fragment, chunk.storageClass, to: transport, from: written)
                replaced += 1
            } catch {
                nodes.report(error, from: node)
                lacking = [fragment] + lacking
            }
        }
        return replaced
    }

    /// Has a node fetch a copy, or compute a fragment of a code, from those that are written.
    private func transfer(
        _ fragment: FragmentID, _ storageClass: StorageClass, to transport: any ChunkTransport, from written: [Home]
    ) async throws {
        switch storageClass {
        case .replicated, .copies: _ = try await transport.pull(fragment, from: written.compactMap { nodes.peer($0.node) })
        case .coded(let code):
            let sources = written.map { FragmentSource(number: $0.fragment.number, peers: [$0.node].compactMap(nodes.peer)) }
            _ = try await transport.reconstruct(fragment, code: code, from: sources)
        }
    }
}

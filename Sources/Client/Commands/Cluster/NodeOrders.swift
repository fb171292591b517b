/// What the commands that change a node's part, or plan it, have in common.
extension ConnectionOptions {
    /// Makes a change and tells what it moves.
    func order(_ change: NodeChange, of node: NodeArgument, force: ForceOption, _ console: Console) async throws -> ExitStatus {
        try await connected(console) { server in
            let id = try await node.resolved(server, self, console)
            let made = try await ordering(console) { try await server.order(change, of: id, force: force.force) }
            if json {
                console.print(made.text)
            } else {
                let plan = made.description
                console.print("layout \(plan.toVersion) is in force: \(formatBytes(plan.movedBytes)) will move")
                console.print(followingHint)
            }
            return .success
        }
    }

    /// Tells what a change would move.
    func plan(_ change: NodeChange, of node: NodeArgument, _ console: Console) async throws -> ExitStatus {
        try await connected(console) { server in
            let id = try await node.resolved(server, self, console)
            return try await show(server, LayoutPlanQuestion(change, of: id), console)
        }
    }

    /// Tells what `server` answers to the question for a plan.
    func show(_ server: ServerConnection, _ question: LayoutPlanQuestion, _ console: Console) async throws -> ExitStatus {
        let plan = try await asking(console) { try await server.plan(question) }
        if json {
            console.print(plan.text)
        } else {
            for line in plan.description.lines { console.print(line) }
        }
        return .success
    }
}

extension LayoutPlanDescription {
    fileprivate var lines: [String] {
        [
            "layout     \(fromVersion) -> \(toVersion)",
            "to move    \(movedPartitions) copies of partitions (the least possible: \(leastPartitions)), \(formatBytes(movedBytes))",
            "",
        ] + members.table + ["", "nothing was changed"] + (refusal.map { ["unsafe without --force: \($0.printable)"] } ?? [])
    }
}

extension [LayoutMember] {
    /// A line for each node below a header.
    var table: [String] {
        let rows = map { [cell($0.node), cell($0.zone), cell(weight: $0.weight), "\($0.partitions)"] }
        return textTable([["NODE", "ZONE", "WEIGHT", "PARTITIONS"]] + rows)
    }
}

public import ArgumentParser

/// `chunkflow cluster SUBCOMMAND`
public struct ClusterCommand: ParsableCommand {
    public static let configuration = CommandConfiguration(
        commandName: "cluster", abstract: "Show and change the cluster: nodes, their shares, movement in the background.",
        discussion: ExitStatus.explanation,
        subcommands: [
            StatusCommand.self, AddNodeCommand.self, DrainCommand.self, RemoveNodeCommand.self, RestoreCommand.self,
            SetWeightCommand.self, LayoutCommand.self, PauseCommand.self, ResumeCommand.self,
        ])

    public init() {}
}

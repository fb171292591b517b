public import ArgumentParser

/// `chunkflow bucket SUBCOMMAND`
public struct BucketCommand: ParsableCommand {
    public static let configuration = CommandConfiguration(
        commandName: "bucket", abstract: "Show and set how the objects of each bucket are stored.", discussion: ExitStatus.explanation,
        subcommands: [ListBucketsCommand.self, SetClassCommand.self])

    public init() {}
}

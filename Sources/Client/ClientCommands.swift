public import ArgumentParser

/// The subcommands with which people and scripts use a server.
public enum ClientCommands {
    public static let all: [any ParsableCommand.Type] = [
        UploadCommand.self, DownloadCommand.self, ListCommand.self, RemoveCommand.self, StatusCommand.self,
        BucketCommand.self, ClusterCommand.self, BenchCommand.self, AccountCommand.self, KeyCommand.self,
    ]

    /// What of `chunkflow metadata` talks to a server.
    public static let metadata: [any ParsableCommand.Type] = [BackupCommand.self]
}

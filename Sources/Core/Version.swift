/// The version of chunkFlow, as every server reports it.
public let chunkFlowVersion = "0.1.0"

enum ClusterProtocolPlaceholder {}

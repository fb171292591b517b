enum ChunkStorePlaceholder {}

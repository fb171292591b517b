enum HTTPEdgePlaceholder {}

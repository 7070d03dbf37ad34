"""From a file to features, and the previews of its seconds."""

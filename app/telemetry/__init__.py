"""What the service tells about itself: logs, metrics and the request that they belong to."""

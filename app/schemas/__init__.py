"""What the service answers, as JSON."""

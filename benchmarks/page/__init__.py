"""The page in a real browser: how fast it is, and what it looks like."""

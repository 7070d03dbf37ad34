"""What several benchmarks start, feed and watch."""

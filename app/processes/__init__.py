"""Worker processes, batches of waiting work, cores and temporary files."""

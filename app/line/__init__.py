"""From an upload to an answer, many at once: processes that decode, one that encodes and searches."""

"""From a question to its answer: retrieval, localization and generation, many at once."""

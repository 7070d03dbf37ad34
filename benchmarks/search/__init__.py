"""The index: speed beside exhaustive search and FAISS, and no false certificate."""

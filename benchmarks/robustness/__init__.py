"""What the service survives: kills, broken files, changes under readers, its contract and its containers."""

"""The embedded demonstration: small clips in which a sound and a sight have one physical cause."""

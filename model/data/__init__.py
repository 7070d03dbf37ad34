"""The data that passes between the stages: features, corpora, latents, and the distance of latents."""

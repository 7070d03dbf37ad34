"""What passes between the stages: features, corpora, latents and the distance between them."""

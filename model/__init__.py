"""From bytes to latents, and how that is learnt and judged."""

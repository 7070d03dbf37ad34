"""From latents to hits."""

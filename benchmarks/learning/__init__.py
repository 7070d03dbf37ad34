"""How fast training and evaluation run."""

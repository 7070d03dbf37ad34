"""Evaluate a model: scorers, localizers, rankings, windows, and the figures that they give."""

"""How good a model is: rankings, windows, scorers and the figures that they give."""

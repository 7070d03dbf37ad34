"""How much footage is enough: figures over the number of training videos."""

"""How good the answers are: studies on feature archives and on real clips."""

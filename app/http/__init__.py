"""Around every request and answer: who may ask, how much at once, and what an error looks like."""

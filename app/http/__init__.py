"""What stands around every request and answer: who may ask, how much, and how it is told and counted."""

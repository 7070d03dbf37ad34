"""Published data sets: readers of their lists, and what is made of them."""

"""Measurements that a note may quote: each prints its figures with seed, split and interval."""

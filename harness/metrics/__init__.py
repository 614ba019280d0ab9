"""Metrics: pure functions on arrays, one family a file."""

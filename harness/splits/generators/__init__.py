"""Split regimes, one a file; each is a function found by the file's name."""

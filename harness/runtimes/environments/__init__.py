"""Python environments from lock files: built once, kept by content, used read-only."""

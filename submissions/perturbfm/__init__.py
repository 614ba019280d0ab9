"""The in-house model library: what the submissions of this repository share. It sees a task through `harness.sdk` alone."""

"""What works on this machine: each runtime and scheduler by a line that was really run in it."""

"""Run folders, provenance, and what binds a number to its inputs."""

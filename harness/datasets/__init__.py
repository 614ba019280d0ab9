"""Datasets: cells × genes once, memory-mapped, content-hashed, with frozen control pools and matching."""

"""Sweeps choose a configuration on validation; suites bring tasks and submissions together and judge declared claims."""

"""Predictions + sealed truth → numbers."""

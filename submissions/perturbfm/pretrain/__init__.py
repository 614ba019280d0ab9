"""Pretraining of the cell encoder: rebuild cells from spoiled ones, from an artifact that stays on disk."""

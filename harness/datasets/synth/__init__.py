"""Synthetic perturbation screens: what a screen looks like, the biology behind it, its cells, the named presets."""

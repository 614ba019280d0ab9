"""Parity: cases that a reference program computed, recomputed here and compared."""

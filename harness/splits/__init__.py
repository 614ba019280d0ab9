"""Splits: who may be learnt from and who is asked for, frozen under a hash."""

"""How work on a dataset says how far it is."""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[int, int], None]
"""Told (done so far, how much in all), in rows or bytes."""

"""What wrappers of other people's models share: which cells to learn from, what can be answered, deltas, seeds. numpy only.

Not a submission. A wrapper names it under `[run] packages`, so that it is part of the wrapper's content hash.
"""

from __future__ import annotations

from external_kit.answers import EXTENSION, FALLBACK, NATIVE, Answers
from external_kit.asked import Asked, asked
from external_kit.cells import Cells, condition_means, training_cells
from external_kit.deltas import log_normalised, raw_delta, reconstruction_delta
from external_kit.machine import checkpoint, prepare, threads

__all__ = [
    "EXTENSION",
    "FALLBACK",
    "NATIVE",
    "Answers",
    "Asked",
    "Cells",
    "asked",
    "checkpoint",
    "condition_means",
    "log_normalised",
    "prepare",
    "raw_delta",
    "reconstruction_delta",
    "threads",
    "training_cells",
]

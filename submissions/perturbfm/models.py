"""The submissions of the ladder by name: what a manifest's `module` points at."""

from __future__ import annotations

from perturbfm.learned import LearnedSubmission
from perturbfm.v0 import V0

v0 = LearnedSubmission(V0)

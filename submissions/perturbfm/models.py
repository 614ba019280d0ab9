"""The submissions of the ladder by name: what a manifest's `module` points at."""

from __future__ import annotations

from perturbfm.diffusion import DiffusionSubmission
from perturbfm.learned import LearnedSubmission
from perturbfm.transformer import V3A
from perturbfm.v0 import V0
from perturbfm.v1 import V1
from perturbfm.v2 import V2

v0 = LearnedSubmission(V0)
v1 = LearnedSubmission(V1)
v2 = LearnedSubmission(V2)
v3 = LearnedSubmission(V2)
v3a = LearnedSubmission(V3A)
diffusion = DiffusionSubmission(V3A)

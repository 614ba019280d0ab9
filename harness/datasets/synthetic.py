"""Synthetic screens by name (`make_preset`) or by specification (`make_synthetic`)."""

from __future__ import annotations

from pathlib import Path

from harness.datasets.progress import Progress
from harness.datasets.synth.artifact import make_synthetic
from harness.datasets.synth.demo import make_demo
from harness.datasets.synth.presets import DEMO, PRESETS
from harness.datasets.synth.spec import SynthSpec
from harness.errors import UnknownNameError

__all__ = ["PRESETS", "SynthSpec", "make_preset", "make_synthetic", "preset_spec"]


def preset_spec(name: str, *, scale: float = 1.0, seed: int = 0) -> SynthSpec:
    """The specification behind a preset, at a scale and with a seed."""
    if name not in PRESETS:
        raise UnknownNameError("preset", name, PRESETS)
    return PRESETS[name].scaled(scale).model_copy(update={"seed": seed})


def make_preset(
    name: str, out: Path, *, scale: float = 1.0, seed: int = 0, progress: Progress | None = None
) -> Path:
    """Make a named screen. `scale` is about the number of values relative to the preset as it is.

    `demo` at scale 1 and seed 0 comes from the counts that are shipped, so that its hash is the same everywhere.
    """
    if preset_spec(name, scale=scale, seed=seed) == DEMO:
        return make_demo(out, progress=progress)
    return make_synthetic(preset_spec(name, scale=scale, seed=seed), out, progress=progress)

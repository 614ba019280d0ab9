"""The named screens."""

from __future__ import annotations

from harness.datasets.synth.spec import SynthSpec

TINY = SynthSpec(
    name="tiny",
    title="Synthetic: a screen that is made in seconds",
    n_contexts=4,
    n_genes=64,
    n_singles=6,
    n_doubles=2,
    unmeasured=0.12,
    cells=12,
    cells_spread=0.1,
    controls=48,
    depth=128,
    n_modules=6,
    out_degree=4,
)
DEMO = SynthSpec(name="demo", title="Synthetic: six contexts, sixty perturbations, one gene graph")
STRESS_SCALE = SynthSpec(
    name="stress-scale",
    title="Synthetic: half a million cells, two thousand genes",
    n_contexts=20,
    n_genes=2000,
    n_singles=300,
    n_doubles=60,
    cells=72,
    controls=2000,
    depth=2000,
    n_modules=80,
    out_degree=8,
    n_programs=8,
    keep_counts=False,
)
STRESS_IMBALANCE = SynthSpec(
    name="stress-imbalance",
    title="Synthetic: very uneven numbers of cells and of perturbations",
    n_contexts=8,
    n_singles=80,
    n_doubles=20,
    unmeasured=0.0,
    uneven_contexts=0.3,
    cells=20,
    cells_spread=1.2,
    n_batches=4,
)
NO_SIGNAL = SynthSpec(
    name="no-signal",
    title="Synthetic: perturbed cells are control cells; there is nothing to learn",
    n_singles=32,
    n_doubles=8,
    strength=0.0,
    shift=0.0,
    knockdown=0.0,
)
LEAKY = SynthSpec(
    name="leaky",
    title="Synthetic: a covariate that submissions are told reveals the response",
    n_singles=32,
    n_doubles=8,
    planted_leak=True,
)

PRESETS = {spec.name: spec for spec in (TINY, DEMO, NO_SIGNAL, LEAKY, STRESS_SCALE, STRESS_IMBALANCE)}

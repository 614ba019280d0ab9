"""Our side of the scPerturBench job: every metric of every perturbation over one gene set.

python -m benchmarks.scperturbench_ours INPUTS.npz 100|all [VALUES.json]
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import scipy.special

from benchmarks.measure import cpu_seconds
from benchmarks.scperturbench_inputs import read_inputs
from harness.metrics.card import Undefined
from harness.metrics.inputs import ConditionCells, Controls
from harness.metrics.scperturbench import condition_values

IMPORTS = (scipy.special,)
"""Loaded here and not at first use, so that imports are counted apart."""


def compute(path: Path, genes: str) -> dict[str, dict[str, float | None]]:
    """Values by perturbation."""
    inputs = read_inputs(path)
    controls = Controls(inputs.controls)
    size = "all" if genes == "all" else int(genes)
    found = {}
    for name, observed in inputs.observed.items():
        values = condition_values(ConditionCells(observed, inputs.predicted[name], controls), (size,))
        found[name] = {
            metric: None if isinstance(value, Undefined) else value for metric, value in values.items()
        }
    return found


def main(words: list[str]) -> None:
    imported = cpu_seconds()
    values = compute(Path(words[0]), words[1])
    if len(words) > 2:
        Path(words[2]).write_text(json.dumps(values))
    print(json.dumps({"import_cpu_s": imported, "conditions": len(values)}))


if __name__ == "__main__":
    main(sys.argv[1:])

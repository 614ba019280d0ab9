"""The scPerturBench job on the processor and on a GPU: same values to 1e-5, and what each takes.

python -m benchmarks.gpu_check [--device cuda] [--cells 200]
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.scperturbench_inputs import N_CELLS, write_inputs

TOLERANCE = 1e-5
GENES = ("100", "all")
DEVICE = "HARNESS_DEVICE"


def main(words: list[str] | None = None) -> int:
    """Compare; 1 where a value is farther than 1e-5 relative."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--device", default="cuda", help="cuda, cuda:1, torch (torch without a GPU)")
    parser.add_argument(
        "--cells", type=int, default=N_CELLS, help="observed and predicted cells per condition"
    )
    parser.add_argument("--child", nargs=2, metavar=("INPUTS", "GENES"), help=argparse.SUPPRESS)
    told = parser.parse_args(words)
    if told.child:
        print(json.dumps(twice(Path(told.child[0]), told.child[1])))
        return 0
    worst = 0.0
    with tempfile.TemporaryDirectory() as scratch:
        inputs = Path(scratch) / "inputs.npz"
        write_inputs(inputs, told.cells)
        for genes in GENES:
            numpy, device = (in_child(inputs, genes, name) for name in ("cpu", told.device))
            gap = worst_gap(numpy["values"], device["values"])
            worst = max(worst, gap)
            print(
                f"{genes:>4} genes: numpy {numpy['seconds']:.3f} s, {told.device} {device['seconds']:.3f} s "
                f"(first time {device['first_seconds']:.3f} s), worst relative difference {gap:.2g}"
            )
    print("same values" if worst <= TOLERANCE else f"DIFFERENT: {worst:.2g} > {TOLERANCE:g}")
    return 0 if worst <= TOLERANCE else 1


def in_child(inputs: Path, genes: str, device: str) -> dict[str, Any]:
    """Values and wall seconds of one device, in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.gpu_check", "--child", str(inputs), genes]
    done = subprocess.run(
        command, check=True, stdout=subprocess.PIPE, text=True, env={**os.environ, DEVICE: device}
    )
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def twice(inputs: Path, genes: str) -> dict[str, Any]:
    """Compute on the device of this process; the first time also loads libraries and wakes the device."""
    from benchmarks.scperturbench_ours import compute

    start = time.perf_counter()
    compute(inputs, genes)
    middle = time.perf_counter()
    values = compute(inputs, genes)
    return {
        "values": values,
        "first_seconds": middle - start,
        "seconds": time.perf_counter() - middle,
    }


def worst_gap(ours: dict[str, dict[str, float | None]], theirs: dict[str, dict[str, float | None]]) -> float:
    """Largest relative difference; infinite where only one side has a value."""
    gaps = [0.0]
    for condition, row in ours.items():
        for metric, a in row.items():
            b = theirs[condition][metric]
            if a is None or b is None:
                gaps.append(0.0 if a is b else float("inf"))
            else:
                gaps.append(abs(a - b) / max(abs(a), 1e-12) if a != b else 0.0)
    return max(gaps)


if __name__ == "__main__":
    sys.exit(main())

"""A court for hostile predictions: one child process judges every file and reports what it cost."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

N_QUERY, N_GENES = 12, 6

JUDGE = """
import json, sys, time
from pathlib import Path
from harness.contract.faults import PredictionsRefused
from harness.contract.predictions import Expected, open_predictions

STATUS, RESET = Path("/proc/self/status"), Path("/proc/self/clear_refs")

def kib(key):
    return next((int(line.split()[1]) for line in STATUS.read_text().splitlines() if line.startswith(key)), 0)

task = json.loads(sys.argv[1])
expected = Expected(task["n_query"], task["n_genes"], task["genes"], var_required=task["var_required"])
verdicts = {}
for name, path in task["files"].items():
    if RESET.exists():
        RESET.write_text("5")
    before, started = kib("VmRSS") if STATUS.exists() else 0, time.perf_counter()
    try:
        open_predictions(Path(path), expected)
        faults = []
    except PredictionsRefused as refused:
        faults = [[fault.field, str(fault)] for fault in refused.faults]
    seconds = time.perf_counter() - started
    grown = kib("VmHWM") - before if STATUS.exists() else 0
    verdicts[name] = {"faults": faults, "seconds": seconds, "grown_mib": grown / 1024}
print(json.dumps(verdicts))
"""


@dataclass(frozen=True)
class Verdict:
    """What was said of one file, and at what cost."""

    faults: list[list[str]]
    seconds: float
    grown_mib: float

    def said(self, field: str, words: str) -> bool:
        """Whether a fault of this field has these words."""
        return any(f == field and words in sentence for f, sentence in self.faults)


Judge = Callable[[Mapping[str, Path]], dict[str, Verdict]]


@pytest.fixture(scope="session")
def judge() -> Judge:
    """Judge files in one child process, against a small task whose submission claims a variance of its own."""

    def run(files: Mapping[str, Path]) -> dict[str, Verdict]:
        genes = [f"GENE{i}" for i in range(N_GENES)]
        task = {"n_query": N_QUERY, "n_genes": N_GENES, "genes": genes, "var_required": True}
        task["files"] = {name: str(path) for name, path in files.items()}
        done = subprocess.run(
            [sys.executable, "-c", JUDGE, json.dumps(task)], capture_output=True, text=True, timeout=120
        )
        assert done.returncode == 0, done.stderr
        return {name: Verdict(**said) for name, said in json.loads(done.stdout).items()}

    return run


@pytest.fixture(scope="session")
def good() -> dict[str, np.ndarray[Any, Any]]:
    """Arrays that are accepted."""
    rng = np.random.default_rng(11)
    var = rng.uniform(0.5, 1, (N_QUERY, N_GENES)).astype(np.float32)
    return {
        "mean": rng.normal(size=(N_QUERY, N_GENES)).astype(np.float32),
        "var": var,
        "idx": rng.permutation(N_QUERY).astype(np.int64),
        "epistemic": var / 2,
        "supported": np.full(N_QUERY, 2, np.uint8),
    }

"""Checks of knowing sealed truth: invented conditions, and a marker planted in a private copy of the truth."""

from __future__ import annotations

import hashlib

import numpy as np

from harness.audit.finding import Finding, found, skipped
from harness.audit.stage import Stage
from harness.contract.predictions import PredictionsFile
from harness.controls.canary import HELD_BELOW, Plant, make_plant, marker_score
from harness.digest import seed_from
from harness.scoring.answers import answers_to_queries
from harness.tasks.folder import SEAL_FILE, write_seal
from harness.tasks.truth import load_truth
from harness.verdicts.gates_case import Case, Gate
from harness.verdicts.gates_honesty import canaries_silent

OBSERVED_FILE = "observed.npy"
"""Truth with a marker, beside the real one: whoever reads effects out of the sealed folder brings the marker along."""
PLANTED_SIZE = 2.0
"""Of the marker, in units of the root mean square of the effects."""


def canary_finding(case: Case) -> Finding:
    """Canary effects follow their random truth no better than by chance."""
    return of_gate("canary", canaries_silent(case), leak=True)


def plant_marker(stage: Stage) -> Plant:
    """Write a marked copy of the truth into the sealed folder of a task, which is sealed anew. The real truth stays.

    The signs are drawn from what only the sealed folder holds, so that no submission can know them otherwise.
    """
    task, truth = stage.task, load_truth(stage.task)
    secret = hashlib.sha256(np.ascontiguousarray(truth.canary).tobytes()).hexdigest()
    n_genes = stage.dataset.meta.n_vars
    plant = make_plant(
        len(truth.conditions), n_genes, seed_from("plant", task.hash, secret), max(8, min(64, n_genes // 4))
    )
    path = task.sealed / OBSERVED_FILE
    if not path.exists():
        effects = np.stack([truth.delta(stage.dataset, i) for i in range(len(truth.conditions))])
        size = PLANTED_SIZE * float(np.sqrt(np.square(effects).mean()))
        np.save(path, (effects + plant.added(n_genes, size)).astype(np.float32))
        (task.sealed / SEAL_FILE).unlink()
        write_seal(task.sealed.parent, task.hash)
    return plant


def planted_finding(stage: Stage, plant: Plant, file: PredictionsFile) -> Finding:
    """Predicted effects do not carry the marker."""
    name, truth = "planted marker", load_truth(stage.task)
    answers = answers_to_queries(file, truth)
    effects = answers.mean(range(len(truth.conditions)))
    if not np.ptp(effects[:, plant.genes], axis=0).any():
        return skipped(name, "it says the same of every condition on the reserved genes", leak=True)
    numbers = marker_score(effects, plant).numbers
    p, correlation = numbers["p"], numbers["correlation"]
    ok = p >= HELD_BELOW
    said = "carries" if not ok else "does not carry"
    reason = f"it {said} what was planted in the private copy: correlation {correlation:+.3f}, p = {p:.2g}"
    return found(name, ok, p, reason, leak=True)


def of_gate(check: str, gate: Gate, *, leak: bool = False) -> Finding:
    """A gate's outcome as a finding."""
    return Finding(check, gate.state, gate.number, gate.reason, leak)

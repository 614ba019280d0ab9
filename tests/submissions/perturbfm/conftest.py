"""Small problems to train on."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from perturbfm.learned import Problem

from harness.contract.manifest import load_manifest
from harness.sdk import Task, load_task

SUBMISSIONS = Path(__file__).parents[3] / "submissions"
LADDER = ("v0", "v1", "v2", "v3")
SINGLES = ("G1", "G2", "G3", "G5")
KNOWN = [(c, p) for c in ("c0", "c1", "c2") for p in (*SINGLES, "G1+G2")]
ASKED = [("c3", "G1"), ("c3", "G9"), ("c0", "G1+G3"), ("c3", "a drug never seen")]
QUICK = {
    "steps": 12,
    "batch": 8,
    "evaluate_every": 4,
    "checkpoint_every": 4,
    "width": 8,
    "hidden": 16,
    "rank": 4,
    "searches": 1,
}


@pytest.fixture(autouse=True, scope="session")
def one_thread():
    """What is so small is done sooner by one thread than by several that wait for each other."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def add_graphs(folder: Path, names: tuple[str, ...] = ("ring", "jump")) -> Path:
    """A ring over the handmade genes, and one that skips a gene."""
    card = json.loads((folder / "task.json").read_text())
    n = len(card["genes"])
    (folder / "graphs").mkdir()
    for step, name in enumerate(names, start=1):
        matrix = np.zeros((n, n), np.float32)
        matrix[np.arange(n), (np.arange(n) - step) % n] = 1.0
        np.savez(folder / "graphs" / f"{name}.npz", adjacency=matrix, genes=np.array(card["genes"]))
        card["graphs"][name] = {"file": f"graphs/{name}.npz"}
    (folder / "task.json").write_text(json.dumps(card))
    return folder


def with_params(task: Task, name: str, variant: str | None = None, **params: object) -> Task:
    """The task as a submission of the ladder gets it, for a training of seconds."""
    manifest = load_manifest(SUBMISSIONS / name)
    task.params = {**manifest.resolve(variant, {}), **QUICK, **params}
    return task


@pytest.fixture
def small_task(handmade_task) -> Callable[..., Task]:
    """Three contexts, single perturbations and a double, two graphs; `small_task("v2", "no_graph", steps=4)`."""
    folder = add_graphs(handmade_task(KNOWN, ASKED))

    def make(name: str = "v0", variant: str | None = None, **params: object) -> Task:
        return with_params(load_task(folder), name, variant, **params)

    return make


@pytest.fixture
def problem(small_task) -> Callable[..., Problem]:
    """The same, read."""
    return lambda *args, **params: Problem.read(small_task(*args, **params))

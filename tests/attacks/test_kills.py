"""`kill -9` at random moments: never a half-made dataset, split or run that a later verb accepts, and a re-run completes."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from harness.datasets.dataset import PerturbDataset, open_dataset
from harness.datasets.graphs import graphs_folder, load_graph
from harness.records.run_folder import list_runs, open_run
from harness.splits.create import verify_split
from harness.splits.store import SplitStore
from harness.tasks.build import open_task

DEFAULT_KILLS = 20
LONG_KILLS = 200
VERBS = ("import", "split", "submit")

FORGE = """
import os, sys, traceback
from pathlib import Path
from harness.datasets.dataset import open_dataset
from harness.datasets.synthetic import make_preset
from harness.schedulers.submit import SubmitRequest, plan_run, submit
from harness.splits.create import create_split
from harness.splits.store import SplitStore

data = Path(sys.argv[1])

def do_import(root):
    make_preset("tiny", root / "data" / "tiny")

def do_split(root):
    SplitStore(root / "splits").save(create_split(open_dataset(data), "context_ood"))

def do_submit(root):
    dataset = open_dataset(data)
    split = create_split(dataset, "context_ood")
    submit(plan_run(SubmitRequest(root / "zeros", dataset, split, root / "runs", root / "tasks", controls=False)))

for line in sys.stdin:
    verb, _, root = line.strip().partition(" ")
    pid = os.fork()
    if pid == 0:
        try:
            globals()["do_" + verb](Path(root))
            os._exit(0)
        except BaseException:
            traceback.print_exc()
            os._exit(1)
    print(pid, flush=True)
    print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)
"""
SUBMISSION = """
schema = 1
name = "zeros"
version = "1"
title = "zeros"
authors = ["a"]
license = "MIT"
[run]
module = "main:submission"
[resources]
cpus = 1
"""
ZEROS = """
import numpy as np
from harness.sdk import Predictions

def submission(task):
    return Predictions(np.zeros(task.query.X.shape, np.float32))
"""


class Forge:
    """Forks a process of its own for each verb, after the imports, so that every kill hits work."""

    def __init__(self, data: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", FORGE, str(data)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def begin(self, verb: str, root: Path) -> int:
        """Start a verb; its process id."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{verb} {root}\n")
        self.process.stdin.flush()
        return self._number()

    def exit_code(self) -> int:
        """Wait for the verb that was begun."""
        return self._number()

    def close(self) -> None:
        self.process.communicate()

    def _number(self) -> int:
        assert self.process.stdout is not None
        return int(self.process.stdout.readline())


@pytest.fixture(scope="module")
def forge(tiny_dataset: PerturbDataset) -> Iterator[Forge]:
    made = Forge(tiny_dataset.path)
    yield made
    made.close()


def check_data(root: Path) -> int:
    """Whatever stands under the dataset's name opens with every hash intact, and has its graph beside it."""
    path = root / "data" / "tiny"
    if not path.exists():
        return 0
    dataset = open_dataset(path)
    load_graph(graphs_folder(path) / "true.npz", dataset.genes)
    return 1


def check_splits(root: Path, dataset: PerturbDataset) -> int:
    """Whatever the store lists is whole, and belongs to the dataset."""
    store = SplitStore(root / "splits")
    entries = store.list() if (root / "splits").exists() else []
    for entry in entries:
        verify_split(store.load(entry.hash, dataset=dataset), dataset)
    return len(entries)


def check_runs(root: Path) -> int:
    """Whatever is listed as a run is whole, every visible task is whole, and nothing else looks like either."""
    runs = list_runs(root / "runs")
    for run in runs:
        open_run(run.path, verify=True)
        assert run.metrics() is not None
    if (root / "runs").exists():
        visible = [entry for entry in (root / "runs").iterdir() if not entry.name.startswith(".")]
        assert sorted(visible) == [run.path for run in runs]
    for task in (root / "tasks").glob("[0-9a-f]*"):
        open_task(task)
    return len(runs)


def attack(forge: Forge, verb: str, kills: int, root: Path, dataset: PerturbDataset, seed: int) -> None:
    """Kill a verb in one folder until it wins a race and completes, then in the next, and look at what is left each time."""
    check: dict[str, Callable[[Path], int]] = {
        "import": check_data,
        "split": lambda folder: check_splits(folder, dataset),
        "submit": check_runs,
    }
    rng = random.Random(seed)
    folder = fresh(root / "rehearsal")
    began = time.monotonic()
    forge.begin(verb, folder)
    assert forge.exit_code() == 0
    whole = time.monotonic() - began
    folder = fresh(root / "0")
    for kill in range(1, kills + 1):
        pid = forge.begin(verb, folder)
        time.sleep(rng.uniform(0, whole))
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        assert forge.exit_code() in (0, -signal.SIGKILL)
        if check[verb](folder):
            folder = fresh(root / str(kill))
    forge.begin(verb, folder)
    assert forge.exit_code() == 0
    assert check[verb](folder) == 1


def fresh(folder: Path) -> Path:
    """A folder with the submission in it."""
    (folder / "zeros").mkdir(parents=True)
    (folder / "zeros" / "submission.toml").write_text(SUBMISSION)
    (folder / "zeros" / "main.py").write_text(ZEROS)
    return folder


def share(kills: int, verb: str) -> int:
    """How the kills are dealt; submit has the most places to be killed in."""
    return kills // 4 if verb != "submit" else kills - 2 * (kills // 4)


@pytest.mark.parametrize("verb", VERBS)
def test_a_kill_at_any_moment_leaves_nothing_half_made_and_a_re_run_completes(
    verb, forge, tmp_path, tiny_dataset
):
    attack(forge, verb, share(DEFAULT_KILLS, verb), tmp_path, tiny_dataset, seed=7)


@pytest.mark.long
@pytest.mark.parametrize("verb", VERBS)
def test_two_hundred_kills_leave_nothing_half_made(verb, forge, tmp_path, tiny_dataset):
    seed = int(os.environ.get("HARNESS_KILL_SEED", "11"))
    attack(forge, verb, share(LONG_KILLS, verb), tmp_path, tiny_dataset, seed=seed)

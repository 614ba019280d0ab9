"""What all tests share."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import signal
from collections.abc import Callable, Sequence
from pathlib import Path

import hypothesis
import numpy as np
import pytest

from harness.controls.bench import Bench
from harness.controls.control_set import ControlSet
from harness.controls.task_controls import task_controls
from harness.datasets.dataset import PerturbDataset, open_dataset
from harness.datasets.graphs import graphs_beside
from harness.datasets.synthetic import make_preset
from harness.doctor.probes import PROBES, finding
from harness.runtimes.sandbox.layers import limits_alone
from harness.splits.create import create_split
from harness.tasks.build import build_task

# how long an example takes says how busy the machine is
hypothesis.settings.register_profile(
    "patient", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("patient")


def pytest_configure() -> None:
    """Ctrl-C works in tests of Ctrl-C even where the whole run was started in the background, which ignores it."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def required(resource: str) -> bool:
    """Whether the environment says that a missing resource is a failure, not a skip."""
    return resource in os.environ.get("HARNESS_REQUIRE", "").split(",")


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """A test marked with an engine skips with the doctor's reason, or fails where HARNESS_REQUIRE names the engine."""
    for engine in PROBES:
        if item.get_closest_marker(engine) is None or finding(engine).works:
            continue
        reason = f"{engine}: {finding(engine).reason} (mend: {finding(engine).mend})"
        if required(engine):
            pytest.fail(f"HARNESS_REQUIRE names {engine}, but {reason}", pytrace=False)
        pytest.skip(reason)


@pytest.fixture
def unconfined(monkeypatch: pytest.MonkeyPatch) -> None:
    """Submissions see this machine as it is, as where no sandbox can be had: what they do there must still be noticed."""
    monkeypatch.setattr("harness.runtimes.process.best_layer", lambda: limits_alone(landlock=0))
    monkeypatch.setattr("harness.runtimes.registry._OFFERS", {})


@pytest.fixture(scope="session")
def mirror() -> Path:
    """The folder of small real datasets."""
    told = os.environ.get("HARNESS_MIRROR")
    if told and Path(told).is_dir():
        return Path(told)
    reason = "HARNESS_MIRROR names no folder with the small real datasets"
    if required("realdata"):
        pytest.fail(f"HARNESS_REQUIRE names realdata, but {reason}")
    pytest.skip(reason)


REDUCED = {
    "tiny": 1.0,
    "demo": 0.25,
    "no-signal": 0.2,
    "leaky": 0.2,
    "stress-scale": 0.002,
    "stress-imbalance": 0.1,
}


@pytest.fixture(scope="session")
def preset_dataset(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., PerturbDataset]:
    """Makes a preset, by default at a size for tests, once per session: `preset_dataset("leaky")`. Read-only."""
    made: dict[tuple[str, float, int], PerturbDataset] = {}

    def make(name: str, *, scale: float | None = None, seed: int = 0) -> PerturbDataset:
        key = (name, REDUCED[name] if scale is None else scale, seed)
        if key not in made:
            out = tmp_path_factory.mktemp("preset") / name
            made[key] = open_dataset(make_preset(name, out, scale=key[1], seed=seed))
        return made[key]

    return make


@pytest.fixture(scope="session")
def tiny_dataset(preset_dataset: Callable[..., PerturbDataset]) -> PerturbDataset:
    """The preset `tiny`: 4 contexts, 6 single and 2 double perturbations, 64 genes. Read-only; its folder is `.path`."""
    return preset_dataset("tiny")


@pytest.fixture(scope="session")
def demo_dataset(preset_dataset: Callable[..., PerturbDataset]) -> PerturbDataset:
    """The preset `demo` as it is shipped. Read-only."""
    return preset_dataset("demo", scale=1.0)


@pytest.fixture(scope="session")
def made_once(
    tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Callable[[str, Callable[[Path], object]], Path]:
    """Makes a folder once for all workers of the session: `made_once("name", make)`; the others wait for it. Read-only."""
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if hasattr(request.config, "workerinput") else base

    def folder(name: str, make: Callable[[Path], object]) -> Path:
        made = shared / f"once-{name}"
        with (shared / f"once-{name}.lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not (made / ".whole").exists():
                shutil.rmtree(made, ignore_errors=True)
                made.mkdir()
                make(made)
                (made / ".whole").touch()
        return made

    return folder


@pytest.fixture(scope="session")
def demo_bench(made_once: Callable[[str, Callable[[Path], object]], Path]) -> Bench:
    """The task `demo:context_ood` (val) as a newcomer gets it, in a data folder of its own. Its controls are kept in it."""
    data = made_once("newcomer", lambda folder: _task_of_demo(folder / "data")) / "data"
    return _task_of_demo(data)


def _task_of_demo(data: Path) -> Bench:
    folder = data / "demo"
    dataset = open_dataset(folder if folder.exists() else make_preset("demo", folder))
    split = create_split(dataset, "context_ood")
    graphs = graphs_beside(dataset.path, split.frozen_hash)
    return Bench(dataset, split, build_task(dataset, split, "val", cache=data / ".tasks", graphs=graphs))


@pytest.fixture(scope="session")
def demo_controls(demo_bench: Bench) -> ControlSet:
    """Every control of the demo task."""
    return task_controls(demo_bench.dataset, demo_bench.split, demo_bench.task)


GENES = tuple(f"G{i}" for i in range(12))
HandmadeTask = Callable[..., Path]


@pytest.fixture
def handmade_task(tmp_path: Path) -> HandmadeTask:
    """Write a task folder by hand, as a program in another language would read it.

    `known` and `asked` are (context, perturbation) pairs or (context, perturbation, dose) triples; a perturbation "G1+G2"
    is of those genes, "drug" of none. The effect of gene Gi is +1 on gene i and −0.5 on its neighbour, times the dose,
    stronger by half in context "c2"; every row carries noise of sd 0.1.
    """

    def make(
        known: Sequence[tuple[object, ...]],
        asked: Sequence[tuple[object, ...]],
        *,
        rows: int = 8,
        controls: int = 10,
        rows_asked: int = 3,
        folder: str = "task",
        paired: bool = False,
    ) -> Path:
        root = tmp_path / folder
        rng = np.random.default_rng(0)
        contexts = sorted({str(pair[0]) for pair in (*known, *asked)})
        basal = {name: rng.uniform(1, 3, len(GENES)) for name in contexts}
        dosed = any(len(pair) > 2 for pair in (*known, *asked))
        extra = ["dose"] if dosed else []
        train, lines = [], []
        first = {}
        for name in contexts:
            first[name] = len(train)
            n_controls = sum(pair[0] == name for pair in known) * rows if paired else controls
            for i in range(max(n_controls, 1)):
                train.append(basal[name] + rng.normal(0, 0.1, len(GENES)))
                lines.append(
                    [len(lines), "control", "", name, f"b{i % 2}", 1, "train", len(lines), *["0"] * dosed]
                )
        used = dict(first)
        for pair in known:
            context, pert, *dose = (str(part) for part in pair)
            for i in range(rows):
                own = used[context] if paired else first[context] + i % controls
                used[context] += 1
                start = train[own] if paired else basal[context]
                train.append(start + effect(context, pert, dose) + rng.normal(0, 0.1, len(GENES)))
                lines.append([len(lines), pert, genes_of(pert), context, f"b{i % 2}", 0, "train", own, *dose])
        header = [
            "row",
            "pert_id",
            "pert_genes",
            "context_id",
            "batch_id",
            "is_control",
            "role",
            "control_row",
            *extra,
        ]
        write_table(root / "train", header, lines, np.array(train))
        query, lines = [], []
        for pair in [asked[i] for i in rng.permutation(len(asked) * rows_asked) % len(asked)]:
            context, pert, *dose = (str(part) for part in pair)
            query.append(train[first[context]])
            lines.append([len(lines), pert, genes_of(pert), context, "b0", *dose])
        write_table(root / "query", [*header[:5], *extra], lines, np.array(query))
        (root / "var.tsv").write_text("gene\n" + "".join(f"{gene}\n" for gene in GENES))
        card = {
            "schema": 1, "name": "handmade:split", "eval_split": "val", "control_label": "control", "genes": GENES,
            "n_train": len(train), "n_query": len(query), "covariates": extra, "graphs": {}, "input_format": "folder",
        }  # fmt: skip
        (root / "task.json").write_text(json.dumps(card))
        return root

    return make


@pytest.fixture
def handmade_effect() -> Callable[..., np.ndarray]:
    """The true delta of a handmade condition: (context, perturbation) → [genes]."""
    return effect


def effect(context: str, pert: str, dose: Sequence[str] = ()) -> np.ndarray:
    """The true delta of a handmade condition. [genes]"""
    delta = np.zeros(len(GENES))
    for gene in genes_of(pert).split("+") if genes_of(pert) else []:
        i = GENES.index(gene)
        delta[i] += 1.0
        delta[(i + 1) % len(GENES)] -= 0.5
    if pert == "drug":
        delta[0] = 2.0
    return delta * (1.5 if context == "c2" else 1.0) * (float(dose[0]) if dose else 1.0)


def genes_of(pert: str) -> str:
    """The `pert_genes` cell of a handmade perturbation."""
    return pert if all(part in GENES for part in pert.split("+")) else ""


def write_table(folder: Path, header: Sequence[str], lines: Sequence[Sequence[object]], X: object) -> None:
    """Write one table of a handmade task."""
    folder.mkdir(parents=True)
    np.save(folder / "X.npy", np.asarray(X, np.float32))
    text = "\n".join("\t".join(str(cell) for cell in line) for line in (header, *lines))
    (folder / "obs.tsv").write_text(text + "\n")

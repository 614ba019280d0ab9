"""What depends on the truth alone is computed once a task, kept under its hash, and refused when it has changed."""

from __future__ import annotations

import time

import numpy as np
import pyarrow as pa
import pytest

from harness.contract.predictions import Expected, open_predictions
from harness.datasets.builder import Rows, build_dataset
from harness.datasets.dataset import open_dataset
from harness.datasets.meta import Preprocessing
from harness.datasets.obs import Labels
from harness.errors import ChangedError
from harness.scoring.engine import Engine, ScoreInputs
from harness.scoring.evaluate import score, write_evaluation
from harness.splits.create import create_split
from harness.storage import canonical_json
from harness.tasks.build import build_task

PERTS = ("G0", "G1", "G2", "G3")


@pytest.fixture(scope="module")
def many_cells(tmp_path_factory):
    """A screen with several hundred cells a condition, as real ones have."""
    labels = [
        (context, pert)
        for context in ("C0", "C1", "C2")
        for pert in ("control",) * 300 + tuple(pert for pert in PERTS for _ in range(500))
    ]
    context, pert = (Labels.of(column) for column in zip(*labels, strict=True))
    rows = Rows(
        pert=pert,
        context=context,
        batch=Labels.of(["b"] * len(labels)),
        is_control=np.array([name == "control" for _, name in labels]),
        cell_ids=pa.array([f"cell{i}" for i in range(len(labels))]),
    )
    rows = rows.take(rows.order())
    folder = tmp_path_factory.mktemp("many")
    with build_dataset(
        folder / "many",
        name="many",
        genes=[f"G{i}" for i in range(800)],
        rows=rows,
        perturbations={name: [name] for name in PERTS},
        preprocessing=Preprocessing(found="log_normalised", steps=[], gene_space="all"),
    ) as arrays:
        arrays.X[...] = np.random.default_rng(0).gamma(2, size=arrays.X.shape)
    dataset = open_dataset(folder / "many")
    split = create_split(dataset, "context_ood")
    return dataset, split, build_task(dataset, split, "val", cache=folder / "tasks", max_rows=16)


@pytest.fixture
def engine_of(many_cells, tmp_path):
    def make(seed: int) -> Engine:
        dataset, split, task = many_cells
        path = tmp_path / f"{seed}.npz"
        if not path.exists():
            shape = (task.card.n_query, len(task.card.genes))
            mean = np.random.default_rng(seed).normal(0, 0.1, shape).astype(np.float32)
            np.savez(path, mean=mean, var=np.full_like(mean, 0.1), idx=np.arange(len(mean)))
        file = open_predictions(path, Expected.of(task.card, var_required=False))
        return Engine(ScoreInputs(dataset, split, task, file, "effect"))

    return make


def cpu_of_score(engine, folder) -> float:
    folder.mkdir()
    started = time.process_time()
    write_evaluation(folder, score(engine, workers=1), folder.name)
    return time.process_time() - started


def test_the_second_submission_on_a_task_costs_less_than_half(engine_of, tmp_path):
    cpu_of_score(engine_of(9), tmp_path / "imports are paid here")
    kept = engine_of(1).kept.folder
    assert kept is not None
    for path in kept.glob("*"):
        path.unlink()
    first = cpu_of_score(engine_of(1), tmp_path / "first")
    second = min(cpu_of_score(engine_of(2), tmp_path / f"second {i}") for i in range(2))
    assert second < first / 2, f"{first:.2f} s, then {second:.2f} s"


def test_what_is_kept_changes_no_byte(engine_of):
    engine = engine_of(3)
    kept = canonical_json(score(engine, workers=1).document)
    assert list(engine.kept.folder.glob("condition-*.sealed"))
    again = canonical_json(score(engine_of(3), workers=1).document)
    from dataclasses import replace

    fresh = canonical_json(score(Engine(replace(engine.inputs, keep=False)), workers=1).document)
    assert kept == again == fresh


def test_a_damaged_kept_result_is_refused_with_the_way_to_mend_it(engine_of):
    engine = engine_of(4)
    score(engine, workers=1)
    path = sorted(engine.kept.folder.glob("condition-*.sealed"))[0]
    whole = path.read_bytes()
    for damaged in (whole[:100], whole[:-9] + bytes([whole[-9] ^ 1]) + whole[-8:], b"", whole + b"x"):
        path.write_bytes(damaged)
        with pytest.raises(ChangedError) as refused:
            score(engine_of(4), workers=1)
        assert refused.value.mend == (
            f"rm -r {engine.kept.folder}; it is computed again when it is needed. Find out first who wrote there"
        )
    path.unlink()
    assert score(engine_of(4), workers=1).complete


def test_kept_results_lie_beside_the_task_and_leave_it_whole(engine_of, many_cells):
    dataset, split, task = many_cells
    engine = engine_of(5)
    score(engine, workers=1)
    assert engine.kept.folder.parent.parent == task.sealed.parent
    again = build_task(dataset, split, "val", cache=task.sealed.parent.parent, max_rows=16)
    assert again.hash == task.hash

"""No file of a task folder holds hidden expression, counts or labels: every file is opened and searched."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import h5py
import numpy as np
import pyarrow as pa
import pytest

from harness.contract.task import NamedHash
from harness.datasets.builder import Rows, build_dataset
from harness.datasets.dataset import PerturbDataset, open_dataset
from harness.datasets.obs import Labels, Pool
from harness.datasets.synthetic import make_preset, make_synthetic, preset_spec
from harness.errors import HarnessError
from harness.splits.create import create_split
from harness.splits.regimes import regimes
from harness.splits.split import ROLES, Split, freeze
from harness.tasks.asked import LABELLED
from harness.tasks.build import build_task

WINDOW = 8
LONG_WINDOW = 24
MULTIPLIERS = np.random.default_rng(0).integers(1, 2**63, LONG_WINDOW, np.uint64) | np.uint64(1)
NUMBER = re.compile(rb"-?\d+\.?\d*(?:[eE][-+]?\d+)?")
MARK = "SENTINEL"
VALUE, COUNT = 7.1234567, 91_234_567
SCALES = {
    "tiny": 1.0, "demo": 0.04, "no-signal": 0.04, "leaky": 0.04, "stress-scale": 0.0005, "stress-imbalance": 0.15
}  # fmt: skip
DOSED = preset_spec("tiny").model_copy(update={"name": "dosed", "doses": (0.1, 1.0, 10.0), "cells": 8})
PARAMS: dict[str, dict[str, Any]] = {
    "scaling": {"train_fraction": 0.5},
    "imbalance": {"entropy": 0.9},
    "combo": {"unseen_fraction": 0.0},
}


def forbidden_rows(dataset: PerturbDataset, split: Split, eval_split: str) -> np.ndarray:
    """All rows besides labelled cells and pool-A controls with a role."""
    role = split.role_codes()
    labelled = np.isin(role, [ROLES.index(r) for r in LABELLED[eval_split]]) & ~dataset.obs.is_control
    given = dataset.obs.in_pool(Pool.A) & (role >= 0)
    return ~(labelled | given)


def with_sentinels(
    dataset: PerturbDataset, split: Split, eval_split: str, out: Path
) -> tuple[PerturbDataset, Split]:
    """The same screen with marks that only forbidden rows carry: in expression, counts, batch and covariate labels."""
    hidden = forbidden_rows(dataset, split, eval_split)
    perturbed = hidden & ~dataset.obs.is_control
    batch = dataset.obs.batch.names()
    batch[perturbed] = [f"{MARK}-batch-{name}" for name in batch[perturbed]]
    rows = Rows(
        pert=dataset.obs.pert,
        context=dataset.obs.context,
        batch=Labels.of(batch),
        is_control=dataset.obs.is_control,
        cell_ids=pa.array(
            [f"{MARK}-{c}" if h else c for c, h in zip(dataset.cell_ids(), hidden, strict=True)]
        ),
        covariates={**dataset.obs.covariates, "site": Labels.of(np.where(hidden, f"{MARK}-site", "site"))},
        intervention=dataset.obs.intervention,
    )
    with build_dataset(
        out,
        name=dataset.name,
        genes=dataset.genes,
        rows=rows,
        perturbations=dataset.meta.perturbations,
        preprocessing=dataset.meta.preprocessing,
        counts_dtype=None if dataset.counts is None else "<u4",
        seed=dataset.meta.pools.seed,
    ) as arrays:
        arrays.X[...] = dataset.X
        gene = np.arange(dataset.n_obs) % len(dataset.genes)
        arrays.X[np.flatnonzero(perturbed), gene[perturbed]] = VALUE
        if arrays.counts is not None:
            arrays.counts[...] = dataset.counts
            arrays.counts[np.flatnonzero(hidden), gene[hidden]] = COUNT
    marked = open_dataset(out, verify=False)
    assert np.array_equal(marked.obs.pool, dataset.obs.pool)
    named = NamedHash(name=marked.name, hash=marked.data_hash)
    again = freeze(
        name=split.name, dataset=named, regime=split.regime, params=split.params, seed=0,
        ood_axes=list(split.ood_axes), role_of=split.role_codes(),
    )  # fmt: skip
    return marked, again


class Secrets(NamedTuple):
    """Hashes of windows of forbidden rows that no row on the open side has."""

    expression: np.ndarray
    expression_long: np.ndarray
    """Where rows lie end to end in raw bytes, short windows over their seams meet by chance."""
    counts: np.ndarray
    counts_long: np.ndarray
    """Small whole numbers meet by chance in a list of codes; there a longer window is looked for."""


def windows(values: np.ndarray, width: int = WINDOW) -> np.ndarray:
    """Hashes of the informative windows of float32 rows: most values not zero, not all alike."""
    with np.errstate(over="ignore", invalid="ignore"):
        values = np.atleast_2d(np.ascontiguousarray(values, np.float32))
    if values.shape[1] < width:
        return np.zeros(0, np.uint64)
    bits = values.view(np.uint32).astype(np.uint64)
    n = values.shape[1] - width + 1
    total, filled = np.zeros((len(values), n), np.uint64), np.zeros((len(values), n), np.int64)
    changes = np.zeros((len(values), n), np.int64)
    for i in range(width):
        total += bits[:, i : i + n] * MULTIPLIERS[i]
        filled += values[:, i : i + n] != 0
        if i:
            changes += values[:, i : i + n] != values[:, i - 1 : i - 1 + n]
    return total[(filled > width / 2) & (changes > width / 2)]


def secret_windows(dataset: PerturbDataset, hidden: np.ndarray) -> Secrets:
    """What no file of a task may hold."""

    def only_hidden(array: np.ndarray | None, width: int) -> np.ndarray:
        if array is None:
            return np.zeros(0, np.uint64)
        return np.setdiff1d(windows(array[hidden], width), windows(array[~hidden], width))

    counts = dataset.counts
    return Secrets(
        expression=only_hidden(dataset.X, WINDOW),
        expression_long=only_hidden(dataset.X, LONG_WINDOW),
        counts=only_hidden(counts, WINDOW),
        counts_long=only_hidden(counts, LONG_WINDOW),
    )


def texts_and_arrays(path: Path) -> Iterator[bytes | np.ndarray]:
    """Everything that a file holds: its bytes, the bytes and arrays within it, the numbers written in it."""
    raw = path.read_bytes()
    yield raw
    if path.suffix == ".npy":
        yield np.load(path)
    elif path.suffix == ".npz":
        with zipfile.ZipFile(path) as archive:
            yield from (archive.read(name) for name in archive.namelist())
        with np.load(path) as members:
            yield from (members[name] for name in members.files)
    elif path.suffix == ".h5ad":
        with h5py.File(path) as file:
            found: list[Any] = []
            file.visititems(
                lambda _, item: found.append(item[()]) if isinstance(item, h5py.Dataset) else None
            )
            for value in found:
                array = np.asarray(value)
                yield (
                    array
                    if array.dtype.kind in "fiu"
                    else "\n".join(map(str, array.ravel().tolist())).encode()
                )
    else:
        yield np.array([float(n) for n in NUMBER.findall(raw)])


def find_leaks(folder: Path, secret: Secrets) -> list[str]:
    """Where a task folder holds what it must not: `FILE: what`."""
    found = []
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        for content in texts_and_arrays(path):
            rows_end_to_end = path.suffix in (".npy", ".h5ad")
            leaks = _leaks_in(content, secret, rows_end_to_end=rows_end_to_end)
            found += [f"{path.relative_to(folder)}: {what}" for what in leaks]
    return found


def _leaks_in(content: bytes | np.ndarray, secret: Secrets, *, rows_end_to_end: bool) -> Iterator[str]:
    if isinstance(content, bytes):
        if MARK.encode() in content:
            yield "label"
        if np.float32(VALUE).tobytes() in content or np.uint32(COUNT).tobytes() in content:
            yield "sentinel bytes"
        for shift in range(4):
            values = np.frombuffer(content[shift : shift + (len(content) - shift) // 4 * 4], "<f4")
            width, known = (
                (LONG_WINDOW, secret.expression_long) if rows_end_to_end else (WINDOW, secret.expression)
            )
            if np.isin(windows(values, width), known).any():
                yield "expression of a hidden row in raw bytes"
    elif content.dtype.kind in "fiu" and content.size:
        values = np.asarray(content, np.float64)
        if (np.abs(values - VALUE) <= 1e-6).any() or (np.abs(values - COUNT) <= 0.5).any():
            yield "sentinel value"
        is_table = values.ndim == 2
        rows = values if is_table else values.reshape(1, -1)
        if np.isin(windows(rows), secret.expression).any():
            yield "expression of a hidden row"
        width, counts = (WINDOW, secret.counts) if is_table else (LONG_WINDOW, secret.counts_long)
        if np.isin(windows(rows, width), counts).any():
            yield "counts of a hidden row"


@pytest.fixture(scope="module")
def screens(tmp_path_factory):
    folder = tmp_path_factory.mktemp("screens")
    made = {
        name: open_dataset(make_preset(name, folder / name, scale=scale)) for name, scale in SCALES.items()
    }
    made["dosed"] = open_dataset(make_synthetic(DOSED, folder / "dosed"))
    return made


def splits_of(dataset: PerturbDataset) -> dict[str, Split]:
    """A split of every regime that applies to a screen."""
    found = {}
    for regime in regimes():
        try:
            params = (
                {"holdout_context": dataset.obs.context.levels[1]}
                if regime == "loco"
                else PARAMS.get(regime, {})
            )
            found[regime] = create_split(dataset, regime, **params)
        except HarnessError:
            continue
    return found


def check(dataset: PerturbDataset, split: Split, eval_split: str, folder: Path, **options: Any) -> None:
    marked, again = with_sentinels(dataset, split, eval_split, folder / "marked")
    task = build_task(marked, again, eval_split, cache=folder / "cache", **options)
    hidden = forbidden_rows(marked, again, eval_split)
    secret = secret_windows(marked, hidden)
    assert hidden.sum() > 10
    assert len(secret.expression) > 1000
    assert find_leaks(task.public, secret) == []


@pytest.mark.parametrize("preset", [*SCALES, "dosed"])
def test_no_task_of_any_regime_holds_hidden_expression_counts_or_labels(screens, preset, tmp_path):
    splits = splits_of(screens[preset])
    assert splits.keys() >= {"context_ood", "perturbation_ood", "iid", "loco", "scaling"}
    for number, (regime, split) in enumerate(splits.items()):
        eval_split = "test" if number % 2 else "val"
        check(screens[preset], split, eval_split, tmp_path / regime)


def test_every_regime_for_cells_is_attacked(screens):
    applied = set().union(*(splits_of(dataset) for dataset in screens.values()))
    assert applied >= set(regimes()) - {"dataset_ood", "moa_holdout", "time"}


@pytest.mark.parametrize("eval_split", ["val", "test"])
def test_neither_form_of_a_task_holds_hidden_cells_on_either_evaluation_split(screens, tmp_path, eval_split):
    dataset = screens["tiny"]
    split = create_split(dataset, "context_ood")
    graphs = sorted(dataset.path.with_name("tiny.graphs").glob("*.npz"))
    assert graphs
    check(dataset, split, eval_split, tmp_path / "a", input_format="h5ad", graphs=graphs)
    check(dataset, split, eval_split, tmp_path / "b", graphs=graphs)


@pytest.mark.long
@pytest.mark.parametrize("preset", ["demo", "no-signal", "leaky", "stress-imbalance"])
@pytest.mark.parametrize("eval_split", ["val", "test"])
def test_presets_at_their_own_size_hold_no_hidden_cells(tmp_path, preset, eval_split):
    dataset = open_dataset(make_preset(preset, tmp_path / preset), verify=False)
    check(dataset, create_split(dataset, "context_ood"), eval_split, tmp_path)


def _plant(folder: Path, how: str, row: np.ndarray, row_counts: np.ndarray) -> None:
    """A leak of one hidden row into a task folder."""
    window = row[-WINDOW - 4 : -4]
    if how == "row in X":
        X = np.load(folder / "train" / "X.npy")
        X[3] = row
        np.save(folder / "train" / "X.npy", X)
    elif how == "window in text":
        (folder / "notes.json").write_text(str([float(v) for v in window]))
    elif how == "window at an odd place in raw bytes":
        (folder / "cache.bin").write_bytes(b"abc" + window.tobytes() + b"z")
    elif how == "window in a compressed member":
        np.savez_compressed(folder / "extra.npz", a=np.zeros(3), b=np.concatenate([np.zeros(5), window]))
    elif how == "window in a double array":
        np.save(folder / "double.npy", np.concatenate([[1.0, 2.0], window.astype(np.float64)]))
    elif how == "counts of a row":
        counts = np.load(folder / "train" / "counts.npy")
        counts[3] = row_counts
        np.save(folder / "train" / "counts.npy", counts)
    elif how == "counts in text":
        (folder / "counts.tsv").write_text("\t".join(map(str, row_counts)))
    elif how == "label":
        (folder / "var.tsv").write_text(f"gene\n{MARK}-site\n")
    elif how == "sentinel to 1e-6":
        np.save(folder / "one.npy", np.array([VALUE + 9e-7]))
    elif how == "window in h5ad":
        with h5py.File(folder / "x.h5ad", "w") as file:
            file.create_dataset("uns/a", data=row[None, :], compression="gzip")


@pytest.mark.parametrize(
    "how",
    [
        "row in X", "window in text", "window at an odd place in raw bytes", "window in a compressed member",
        "window in a double array", "counts of a row", "counts in text", "label", "sentinel to 1e-6", "window in h5ad",
    ],
)  # fmt: skip
def test_the_search_finds_a_planted_leak(screens, tmp_path, how):
    dataset = screens["tiny"]
    split = create_split(dataset, "context_ood")
    task = build_task(dataset, split, "val", cache=tmp_path)
    hidden = forbidden_rows(dataset, split, "val")
    secret = secret_windows(dataset, hidden)
    assert find_leaks(task.public, secret) == []
    for path in task.public.rglob("*"):
        path.chmod(0o755)
    values = dataset.X[hidden]
    rich = next(
        i for i, v in enumerate(values) if np.isin(windows(v[-WINDOW - 4 : -4]), secret.expression).any()
    )
    _plant(task.public, how, values[rich], dataset.counts[hidden][rich])
    assert find_leaks(task.public, secret)

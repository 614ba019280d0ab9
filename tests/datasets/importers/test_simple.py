"""Small artifacts travel as two files."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.datasets.dataset import open_dataset, verify_content
from harness.datasets.export import export_simple
from harness.datasets.importers import npz_members
from harness.datasets.importers.simple import SimpleOptions, import_simple
from harness.errors import HarnessError


@pytest.fixture
def form(tmp_path: Path) -> Callable[..., Path]:
    """A simple form of six perturbed rows whose controls are given as values only; with changes."""

    def write(compressed: bool = False, **changes: Any) -> Path:
        folder = tmp_path / "form"
        folder.mkdir()
        rng = np.random.default_rng(0)
        control = np.repeat(rng.random((3, 4)), 2, axis=0).astype(np.float32)
        pert = rng.random((6, 4)).astype(np.float32)
        arrays = {
            "X_control": control,
            "X_pert": pert,
            "delta": pert - control,
            "obs_idx": np.array([5, 4, 3, 2, 1, 0]),
        }
        document = {
            "obs": {"pert_id": list("ABABAB"), "context_id": ["x"] * 4 + ["y"] * 2, "batch_id": ["b"] * 6},
            "var": ["A", "B", "C", "D"],
            "metadata": {"name": "form"},
        }
        arrays |= {k: v for k, v in changes.items() if k in arrays}
        document |= {k: v for k, v in changes.items() if k in document}
        (np.savez_compressed if compressed else np.savez)(folder / "data.npz", **arrays)
        (folder / "meta.json").write_text(json.dumps(document))
        return folder

    return write


def test_an_exported_artifact_comes_back_with_the_same_data_hash(
    build: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(npz_members, "BLOCK_BYTES", 12 * 7)
    for rule in ("cell", "mean"):
        first = open_dataset(build(tmp_path / rule, counts_dtype=None, embeddings={}, matching=rule))
        export_simple(first, tmp_path / f"{rule}-form")
        second = open_dataset(
            import_simple(tmp_path / f"{rule}-form", tmp_path / f"{rule}-back", SimpleOptions())
        )
        verify_content(second)
        assert second.data_hash == first.data_hash
        assert second.meta.preprocessing == first.meta.preprocessing


@pytest.mark.parametrize("compressed", [False, True])
def test_distinct_controls_become_control_rows_and_rows_stay_paired(
    form: Callable[..., Path], tmp_path: Path, compressed: bool
) -> None:
    source = form(compressed)
    dataset = open_dataset(import_simple(source, tmp_path / "out", SimpleOptions()))
    verify_content(dataset)
    assert dataset.meta.matching.rule == "paired"
    assert set(dataset.meta.pools.modes.values()) == {"shared-controls"}
    assert int(dataset.obs.is_control.sum()) == 3
    npz = np.load(source / "data.npz")
    perturbed = np.flatnonzero(~dataset.obs.is_control)
    by_id = {str(obs): row for row, obs in enumerate(npz["obs_idx"])}
    rows = [by_id[name] for name in dataset.cell_ids()[perturbed]]
    np.testing.assert_array_equal(dataset.X_control(perturbed), npz["X_control"][rows])
    np.testing.assert_array_equal(dataset.X_pert(perturbed), npz["X_pert"][rows])


def test_a_row_is_paired_with_the_control_row_that_it_repeats(
    form: Callable[..., Path], tmp_path: Path
) -> None:
    control = np.tile(np.arange(4, dtype=np.float32), (6, 1))
    pert = control + 1
    pert[0] = control[0]
    obs = {"pert_id": ["control", *"BABAB"], "context_id": ["x"] * 6, "batch_id": ["b"] * 6}
    source = form(X_control=control, X_pert=pert, delta=pert - control, obs_idx=np.arange(6), obs=obs)
    dataset = open_dataset(import_simple(source, tmp_path / "out", SimpleOptions()))
    assert dataset.n_obs == 6
    assert (dataset.delta(np.flatnonzero(~dataset.obs.is_control)) == 1).all()


def test_deltas_without_controls_stay_deltas(form: Callable[..., Path], tmp_path: Path) -> None:
    pert = np.random.default_rng(1).normal(size=(6, 4)).astype(np.float32)
    source = form(
        X_control=np.zeros((6, 4), np.float32), X_pert=pert, delta=pert, metadata={"x_kind": "delta"}
    )
    dataset = open_dataset(import_simple(source, tmp_path / "out", SimpleOptions(unit="profile")))
    assert dataset.n_obs == 6
    assert (dataset.meta.matching.rule, dataset.meta.unit) == ("none", "profile")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"delta": np.zeros((6, 4), np.float32)}, "delta is not X_pert − X_control in 6 rows"),
        ({"X_pert": np.full((6, 4), np.nan, np.float32)}, "24 values are NaN"),
        ({"obs_idx": np.array([0, 1, 2, 3, 4, 9])}, "obs_idx points outside"),
        ({"var": ["A", "B", "C"]}, "arrays of the simple form disagree"),
        ({"var": ["A", "B", "C", "C"]}, "more than once"),
        ({"X_pert": np.array([["a"] * 4] * 6)}, "cannot be read"),
        ({"metadata": {"x_kind": "tpm"}}, "unknown x_kind"),
        ({"obs": {"pert_id": list("ABABAB")}}, "no context column"),
    ],
)
def test_a_form_that_does_not_hold_together_is_refused(
    form: Callable[..., Path], tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    source = form(**changes)
    with pytest.raises(HarnessError) as refused:
        import_simple(source, tmp_path / "out", SimpleOptions())
    assert message in str(refused.value)
    assert not (tmp_path / "out").exists()


def test_a_damaged_archive_is_refused(form: Callable[..., Path], tmp_path: Path) -> None:
    source = form()
    whole = (source / "data.npz").read_bytes()
    (source / "data.npz").write_bytes(whole[:200])
    with pytest.raises(HarnessError, match="not a readable npz"):
        import_simple(source, tmp_path / "out", SimpleOptions())
    flipped = bytearray(whole)
    flipped[whole.index(b"X_pert") + 200] ^= 1
    (source / "data.npz").write_bytes(bytes(flipped))
    with pytest.raises(HarnessError, match="'X_pert' is broken"):
        import_simple(source, tmp_path / "out", SimpleOptions())

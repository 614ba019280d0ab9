"""Whatever is changed in a frozen artifact is found, with the file, what was expected, and what was found."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from harness.datasets.builder import Rows, build_dataset
from harness.datasets.dataset import open_dataset
from harness.datasets.meta import Preprocessing
from harness.datasets.obs import Labels
from harness.errors import ChangedError, HarnessError

ARRAYS = ["X.npy", "counts.npy", "control.npy", "controls.npy", "obsm/X_pca.npy"]


@pytest.fixture
def artifact(tmp_path: Path) -> Path:
    """An artifact with every kind of file."""
    rng = np.random.default_rng(0)
    pert = np.where(np.arange(90) % 2, "A", "control")
    rows = Rows(
        Labels.of(pert),
        Labels.of(rng.choice(["x", "y"], 90)),
        Labels.of(rng.choice(["b1", "b2"], 90)),
        pert == "control",
        pa.array([f"cell{i}" for i in range(90)]),
        {"dose": rng.random(90)},
        ("dose",),
    )
    out = tmp_path / "artifact"
    with build_dataset(
        out,
        name="d",
        genes=["A", "B", "C"],
        rows=rows.take(rows.order()),
        perturbations={"A": ["A"]},
        preprocessing=Preprocessing(found="counts", steps=["log1p"], gene_space="all"),
        counts_dtype="<u2",
        embeddings={"X_pca": 2},
        matching="mean",
    ) as arrays:
        arrays.X[...] = rng.random((90, 3))
        assert arrays.counts is not None
        arrays.counts[...] = rng.integers(0, 9, (90, 3))
        arrays.obsm["X_pca"][...] = rng.random((90, 2))
    return out


def refused(artifact: Path, file: str) -> ChangedError:
    with pytest.raises(ChangedError) as caught:
        open_dataset(artifact)
    assert caught.value.where == str(artifact / file)
    assert caught.value.got
    assert caught.value.expected
    assert caught.value.got != caught.value.expected
    assert caught.value.code == 4
    return caught.value


def flip(path: Path, place: int) -> None:
    raw = bytearray(path.read_bytes())
    raw[place] ^= 1
    path.write_bytes(bytes(raw))


def edit(artifact: Path, change: Callable[[dict], None]) -> None:
    document = json.loads((artifact / "meta.json").read_text())
    change(document)
    (artifact / "meta.json").write_text(json.dumps(document))


@pytest.mark.parametrize("file", ARRAYS)
def test_a_flipped_byte_is_refused_with_both_hashes(artifact: Path, file: str) -> None:
    size = (artifact / file).stat().st_size
    for place in (128, (128 + size) // 2, size - 1):
        flip(artifact / file, place)
        error = refused(artifact, file)
        assert len(error.got or "") == len(error.expected or "") == 64
        flip(artifact / file, place)
    open_dataset(artifact)


@pytest.mark.parametrize("file", ARRAYS)
def test_a_changed_header_is_refused_also_when_hashes_are_not_checked(artifact: Path, file: str) -> None:
    path = artifact / file
    path.write_bytes(path.read_bytes().replace(b"'fortran_order': False", b"'fortran_order': True ", 1))
    refused(artifact, file)
    with pytest.raises(ChangedError):
        open_dataset(artifact, verify=False)


@pytest.mark.parametrize("file", ARRAYS)
@pytest.mark.parametrize("by", [-1, 1])
def test_a_file_cut_short_or_made_longer_is_refused(artifact: Path, file: str, by: int) -> None:
    raw = (artifact / file).read_bytes()
    (artifact / file).write_bytes(raw[:by] if by < 0 else raw + b"\0")
    refused(artifact, file)


@pytest.mark.parametrize("file", [*ARRAYS, "obs.parquet", "meta.json"])
def test_a_file_that_is_gone_is_refused(artifact: Path, file: str) -> None:
    (artifact / file).unlink()
    with pytest.raises(HarnessError):
        open_dataset(artifact)


def test_any_flipped_byte_of_the_row_table_is_refused(artifact: Path) -> None:
    size = (artifact / "obs.parquet").stat().st_size
    for place in range(0, size, max(1, size // 25)):
        flip(artifact / "obs.parquet", place)
        refused(artifact, "obs.parquet")
        flip(artifact / "obs.parquet", place)


def test_a_row_table_written_anew_with_one_control_perturbed_is_refused(artifact: Path) -> None:
    table = pq.read_table(artifact / "obs.parquet")
    flags = table["is_control"].to_pylist()
    flags[0] = not flags[0]
    pq.write_table(
        table.set_column(table.column_names.index("is_control"), "is_control", pa.array(flags)),
        artifact / "obs.parquet",
    )
    refused(artifact, "obs.parquet")


@pytest.mark.parametrize(
    "change",
    [
        lambda d: d["genes"].__setitem__(0, "TP53"),
        lambda d: d["genes"].reverse(),
        lambda d: d.__setitem__("name", "other"),
        lambda d: d["perturbations"].__setitem__("A", []),
        lambda d: d["pools"].__setitem__("seed", 7),
        lambda d: d["pools"]["modes"].__setitem__("x", "shared-controls"),
        lambda d: d["arrays"]["X.npy"].__setitem__("sha256", "0" * 64),
        lambda d: d.__setitem__("n_obs", "ninety"),
        lambda d: d.__setitem__("extra", 1),
        lambda d: d.pop("notes"),
        lambda d: d.__setitem__("data_hash", "0" * 64),
        lambda d: d.__setitem__("meta_hash", "0" * 64),
    ],
)
def test_an_edited_card_is_refused_with_both_hashes(artifact: Path, change: Callable[[dict], None]) -> None:
    edit(artifact, change)
    error = refused(artifact, "meta.json")
    assert len(error.got or "") == len(error.expected or "") == 64


def test_a_card_that_is_no_longer_json_is_refused(artifact: Path) -> None:
    text = (artifact / "meta.json").read_text()
    (artifact / "meta.json").write_text(text[: len(text) // 2])
    with pytest.raises(HarnessError, match="not readable JSON"):
        open_dataset(artifact)


def test_two_arrays_that_trade_places_are_refused(artifact: Path) -> None:
    other = artifact.with_name("other.npy")
    (artifact / "X.npy").rename(other)
    (artifact / "obsm" / "X_pca.npy").rename(artifact / "X.npy")
    other.rename(artifact / "obsm" / "X_pca.npy")
    with pytest.raises(ChangedError):
        open_dataset(artifact)

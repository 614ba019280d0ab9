"""Verification finds every fault of an artifact and names the file, the found and the expected hash."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.datasets.dataset import PerturbDataset, open_dataset
from harness.datasets.verification import faults
from harness.errors import ChangedError, HarnessError


@pytest.fixture
def folder(tiny_dataset: PerturbDataset, tmp_path: Path) -> Path:
    return shutil.copytree(tiny_dataset.path, tmp_path / "tiny")


def flip(path: Path, position: int) -> None:
    content = bytearray(path.read_bytes())
    content[position] ^= 1
    path.write_bytes(content)


def test_a_sound_dataset_has_no_fault_and_all_its_bytes_are_read(folder: Path) -> None:
    told: list[tuple[int, int]] = []
    assert faults(folder, on_progress=lambda done, of: told.append((done, of))) == []
    read = sum(path.stat().st_size for path in folder.rglob("*") if path.name not in ("meta.json",))
    assert told[-1] == (read, read)


@pytest.mark.parametrize("file", ["X.npy", "control.npy", "counts.npy", "obs.parquet", "meta.json"])
@pytest.mark.parametrize("position", [0, -1], ids=["first byte", "last byte"])
def test_a_flipped_byte_of_any_file_is_found(file: str, position: int, folder: Path) -> None:
    flip(folder / file, position if file != "meta.json" else position - 2 if position else 3)
    (fault,) = faults(folder)
    assert str(folder / file) in str(fault.where)


def test_faults_in_several_files_are_all_found(folder: Path) -> None:
    flip(folder / "X.npy", -1)
    flip(folder / "obs.parquet", 100)
    (folder / "control.npy").unlink()
    assert sorted(Path(str(fault.where)).name for fault in faults(folder)) == [
        "X.npy",
        "control.npy",
        "obs.parquet",
    ]


def test_a_changed_gene_name_is_found(folder: Path) -> None:
    meta = json.loads((folder / "meta.json").read_text())
    meta["genes"][3] = "renamed"
    (folder / "meta.json").write_text(json.dumps(meta))
    (fault,) = faults(folder)
    assert isinstance(fault, ChangedError)
    assert fault.expected == meta["meta_hash"]


def test_a_changed_gene_name_under_a_forged_card_hash_is_found_too(folder: Path) -> None:
    from harness.datasets.meta import meta_hash

    meta = json.loads((folder / "meta.json").read_text())
    meta["genes"][3] = "renamed"
    meta["meta_hash"] = meta_hash(meta)
    (folder / "meta.json").write_text(json.dumps(meta))
    (fault,) = faults(folder)
    assert fault.expected == meta["data_hash"]


@pytest.mark.parametrize("break_it", [lambda p: p.truncate(100), lambda p: p.seek(0, 2) and p.write(b"more")])
def test_a_file_of_another_length_is_found(break_it: Callable[..., object], folder: Path) -> None:
    with (folder / "X.npy").open("r+b") as handle:
        break_it(handle)
    (fault,) = faults(folder)
    assert str(open_meta_hash(folder)) in str(fault.expected)


def open_meta_hash(folder: Path) -> str:
    return str(json.loads((folder / "meta.json").read_text())["arrays"]["X.npy"]["sha256"])


def test_a_folder_that_is_no_dataset_is_a_fault_with_a_way_out(tmp_path: Path) -> None:
    (fault,) = faults(tmp_path)
    assert isinstance(fault, HarnessError)
    assert "harness data list" in str(fault.mend)


def test_what_verification_accepts_opens(folder: Path, tiny_dataset: PerturbDataset) -> None:
    assert faults(folder) == []
    assert open_dataset(folder).data_hash == tiny_dataset.data_hash


def test_a_foreign_file_in_the_folder_is_named(folder: Path) -> None:
    (folder / "obsm").mkdir(exist_ok=True)
    (folder / "obsm" / "labels.npy").write_bytes(b"x")
    (fault,) = faults(folder)
    assert fault.where == str(folder / "obsm" / "labels.npy")

"""Checking an artifact to the last byte: every fault is found and named, not only the first."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from harness.datasets.dataset import OBS_FILE, changed, open_dataset, read_meta, verify_content
from harness.datasets.meta import DATASET_META, DatasetMeta, data_hash
from harness.datasets.npy import check_array
from harness.datasets.progress import Progress
from harness.digest import file_hash
from harness.errors import HarnessError


def faults(path: Path, *, on_progress: Progress | None = None) -> list[HarnessError]:
    """Everything that is not as it was frozen, as refusals that name the file, the found and the expected hash.

    A card that has changed itself ends the search, since it holds what the other files are compared with.
    """
    try:
        meta = read_meta(path)
    except HarnessError as fault:
        return [fault]
    sizes = {file: _size(path / file) for file in (*meta.arrays, OBS_FILE)}
    found, done = [], 0
    for file, size in sizes.items():
        found += list(_faults_of(path, file, meta))
        done += size
        if on_progress is not None:
            on_progress(done, sum(sizes.values()))
    found += _foreign(path, meta)
    return found or list(_faults_of_the_whole(path, meta))


def _foreign(path: Path, meta: DatasetMeta) -> list[HarnessError]:
    """What lies in the folder and is not the dataset's."""
    own = {path / file for file in (*meta.arrays, OBS_FILE, DATASET_META)}
    strange = sorted(entry for entry in path.rglob("*") if entry not in own and not entry.is_dir())
    return [
        HarnessError("a file that is not part of the dataset", where=entry, mend="move it elsewhere")
        for entry in strange
    ]


def _faults_of(path: Path, file: str, meta: DatasetMeta) -> Iterator[HarnessError]:
    try:
        if file != OBS_FILE:
            check_array(path / file, meta.arrays[file])
        elif not (path / file).is_file():
            yield HarnessError("a file of the dataset is missing", where=path / file)
        elif (found := file_hash(path / file)) != meta.obs.file_sha256:
            yield changed(path / file, found=found, expected=meta.obs.file_sha256)
    except HarnessError as fault:
        yield fault


def _faults_of_the_whole(path: Path, meta: DatasetMeta) -> Iterator[HarnessError]:
    """What only shows when all files are as their hashes say: the values of the row table, the identity of the whole."""
    found = data_hash(meta.model_dump(mode="json", by_alias=True))
    if found != meta.data_hash:
        yield changed(path / DATASET_META, found=found, expected=meta.data_hash)
    try:
        verify_content(open_dataset(path, verify=False))
    except HarnessError as fault:
        yield fault


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0

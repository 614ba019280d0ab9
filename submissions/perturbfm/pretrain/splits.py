"""Which rows frozen splits allow a pretraining to see."""

from __future__ import annotations

import hashlib
import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from perturbfm.pretrain.refusal import RefusedError

ALLOWED = "train"
"""The one role that nothing is ever asked about."""


@dataclass(frozen=True)
class FrozenSplit:
    """A split file whose content is what its hash says."""

    name: str
    hash: str
    dataset: str
    """Hash of the data that it cuts."""
    n_obs: int
    roles: Mapping[str, list[list[int]]]
    """Rows of each role as runs [start, stop)."""

    def allowed(self, start: int, stop: int) -> NDArray[np.bool_]:
        """Which rows of a block are labelled for training. [stop − start]"""
        return self.role(ALLOWED, start, stop)

    def role(self, role: str, start: int, stop: int) -> NDArray[np.bool_]:
        """Which rows of a block have a role. [stop − start]"""
        found = np.zeros(stop - start, np.bool_)
        for first, last in self.roles[role]:
            found[max(0, first - start) : max(0, last - start)] = True
        return found


def find_split(told: str, dataset: str, store: Path) -> Path:
    """A split by file, by its hash in a store, or by its name there (`SPLIT` or `DATASET:SPLIT`)."""
    if Path(told).is_file():
        return Path(told)
    index = store / "index.toml"
    tables = tomllib.loads(index.read_text(encoding="utf-8")) if index.is_file() else {}
    owner, _, name = told.rpartition(":")
    names = tables.get(owner or dataset, {})
    path = store / f"{names.get(name, told)}.json"
    if not path.is_file():
        raise RefusedError(
            f"no split {told!r}",
            where=store,
            expected=", ".join(sorted(names)) or "a split file, or a name in the index of the store",
            mend="harness splits list shows the frozen splits; --splits names their folder",
        )
    return path


def read_split(path: Path) -> FrozenSplit:
    """A split from its file, refused where its content is not what it was frozen as."""
    try:
        document = json.loads(path.read_bytes())
        found = split_hash(document)
        split = FrozenSplit(
            document["name"],
            document["frozen_hash"],
            document["dataset"]["hash"],
            document["n_obs"],
            document["roles"],
        )
    except (ValueError, KeyError, TypeError) as error:
        raise RefusedError("not a split file", where=path, got=f"{type(error).__name__}: {error}") from None
    if found != split.hash:
        raise RefusedError(
            "split file has changed since it was frozen",
            where=path,
            got=found,
            expected=split.hash,
            mend="restore it from version control; a changed split is a new split",
        )
    return split


def split_hash(document: Mapping[str, Any]) -> str:
    """The hash that a split is frozen under: SHA-256 of its canonical JSON, each field led by its length."""
    content = {key: value for key, value in document.items() if key != "frozen_hash"}
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    sha = hashlib.sha256()
    for part in (b"harness", b"split", b"split", b"json", text.encode()):
        sha.update(len(part).to_bytes(8, "little"))
        sha.update(part)
    return sha.hexdigest()

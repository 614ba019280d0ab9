"""What a submission gives back: the rules of `predictions.npz`, or of a folder with the same arrays as `.npy` files.

Headers are checked before anything is allocated; values in one pass of bounded blocks. Nothing is ever unpickled.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.contract.container import Container, open_container
from harness.contract.faults import Fault, FaultError
from harness.contract.listing import ENDING, RULES, Rule, read_headers, refuse
from harness.contract.npy_header import NpyHeader
from harness.contract.rows import check_idx, check_supported
from harness.contract.task import TaskCard
from harness.contract.values import as_float32, check_epistemic, check_matrix
from harness.digest import Digest, file_hash

PREDICTIONS_FILE = "predictions.npz"


@dataclass(frozen=True)
class Expected:
    """What a task asks for."""

    n_query: int
    n_genes: int
    genes: Sequence[str] | None = None
    """Gene names, so that faults can name them."""
    var_required: bool = False
    rows: NDArray[np.int64] | None = None
    """The set that `idx` must name; `None`: 0 … n_query − 1."""

    @classmethod
    def of(cls, card: TaskCard, *, var_required: bool) -> Expected:
        """What the task of this card asks for."""
        return cls(card.n_query, len(card.genes), card.genes, var_required)

    def shape(self, rule: Rule) -> tuple[int, ...]:
        return (self.n_query, self.n_genes) if rule.per_gene else (self.n_query,)

    def all_rows(self) -> NDArray[np.int64]:
        """The rows asked for, in the order of the query."""
        return np.arange(self.n_query, dtype=np.int64) if self.rows is None else self.rows


@dataclass(frozen=True)
class PredictionsFile:
    """Accepted predictions. The matrices are memory maps, in the order of the file."""

    path: Path
    mean: NDArray[np.float32]  # [Q, G]
    idx: NDArray[np.int64]  # [Q]
    order: NDArray[np.int64]  # [Q]: mean[order[i]] predicts the i-th row asked for
    var: NDArray[np.float32] | None = None  # [Q, G]
    epistemic: NDArray[np.float32] | None = None  # [Q, G]
    supported: NDArray[np.uint8] | None = None  # [Q]
    notes: tuple[str, ...] = ()
    """What was accepted although it is not exactly what was asked for, a sentence each."""

    @cached_property
    def sha256(self) -> str:
        """SHA-256 of the file; of a folder, of the hashes of its files."""
        return predictions_hash(self.path)


def predictions_hash(path: Path) -> str:
    """SHA-256 of a predictions file; of a folder, of the hashes of its files. Links do not count."""
    if path.is_file():
        return file_hash(path)
    digest = Digest("predictions-folder")
    for file in sorted(entry for entry in path.iterdir() if entry.is_file() and not entry.is_symlink()):
        digest.field(file.name, file_hash(file))
    return digest.hexdigest()


def open_predictions(path: Path, expected: Expected, *, scratch: Path | None = None) -> PredictionsFile:
    """Check a predictions file or folder whole and map it; all its faults are in one refusal.

    Arrays that are packed, of another float type, byte order or memory order are turned into float32 rows in nameless
    files in `scratch` (default: the folder for temporary files). The file must be out of the submission's reach by now.
    """
    with open_container(path) as container:
        headers = read_headers(container)
        sound = _check_headers(headers, expected, container.faults)
        opened = _Opened(container, expected, scratch)
        for name in sound:
            opened.take(name, headers[name])
        opened.compare()
        refuse(path, container.faults)
    return PredictionsFile(path=path, order=opened.order, notes=tuple(opened.notes), **opened.arrays)


def _check_headers(headers: Mapping[str, NpyHeader], expected: Expected, faults: list[Fault]) -> list[str]:
    """Names, dtypes and shapes; the names of members whose values are worth reading."""
    sound = []
    broken_off = {fault.field for fault in faults}
    for name, rule in RULES.items():
        header = headers.get(name)
        if header is None:
            needed = rule.required or (name == "var" and expected.var_required)
            if needed and name not in broken_off and "file" not in broken_off:
                faults.append(_missing(name, rule, expected))
            continue
        wrong = [*_wrong_dtype(name, rule, header), *_wrong_shape(name, rule, header, expected)]
        faults += wrong
        if not wrong:
            sound.append(name)
    return sound


def _missing(name: str, rule: Rule, expected: Expected) -> Fault:
    mend = (
        'write it, or say uncertainty = "none" under [claims]'
        if name == "var"
        else f"save an array named {name}"
    )
    return Fault(name, "is missing", "no such member", f"{rule.named} {list(expected.shape(rule))}", mend)


def _wrong_dtype(name: str, rule: Rule, header: NpyHeader) -> list[Fault]:
    if header.dtype.kind in rule.kinds:
        return []
    mend = f"convert with .astype(numpy.{np.dtype(rule.dtype).name})"
    return [Fault(name, "has the wrong dtype", f"{header.dtype.name} ({header.descr})", rule.named, mend)]


def _wrong_shape(name: str, rule: Rule, header: NpyHeader, expected: Expected) -> list[Fault]:
    wanted = expected.shape(rule)
    if header.shape == wanted:
        return []
    what, mend = (
        "has the wrong shape",
        "one row per query row, one column per gene" if rule.per_gene else None,
    )
    if len(header.shape) == len(wanted):
        if header.shape[0] != wanted[0]:
            what, mend = (
                "has another number of rows than the query",
                "predict every row of query/obs.tsv once",
            )
        elif rule.per_gene:
            what = "has another number of genes than the task"
            mend = "were these made for another dataset? The genes and their order are in task.json"
    return [Fault(name, what, str(list(header.shape)), str(list(wanted)), mend)]


@dataclass
class _Opened:
    """The arrays of a file as they are mapped and checked one after the other."""

    container: Container
    expected: Expected
    scratch: Path | None
    arrays: dict[str, Any] = field(default_factory=dict)
    order: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    notes: list[str] = field(default_factory=list)

    def take(self, name: str, header: NpyHeader) -> None:
        """Map one member and check its values."""
        member = self.container.members[name + ENDING]
        try:
            stored = member.array(header, self.scratch)
        except FaultError as broken:
            self.container.faults.append(broken.of(name))
            return
        rule = RULES[name]
        if header.descr != rule.dtype:
            self.notes.append(f"{name}: {header.descr} was read as {np.dtype(rule.dtype).name}")
        if header.fortran_order and rule.per_gene:
            self.notes.append(f"{name}: columns first (Fortran order) was turned into rows first")
        if rule.per_gene:
            self.arrays[name] = self._matrix(name, stored)
        elif name == "idx":
            self.arrays[name] = stored.astype(np.int64)
            faults, self.order = check_idx(self.arrays[name], self.expected.all_rows())
            self.container.faults += faults
        else:
            self.container.faults += check_supported(stored)
            self.arrays[name] = stored.astype(np.uint8)

    def _matrix(self, name: str, stored: NDArray[Any]) -> NDArray[np.float32]:
        matrix = as_float32(stored, self.scratch)
        self.container.faults += check_matrix(
            name, matrix, negative=name == "mean", genes=self.expected.genes
        )
        return matrix

    def compare(self) -> None:
        """The one rule between members: model uncertainty is a part of the variance."""
        if "epistemic" not in self.arrays:
            return
        if "var" in self.arrays:
            self.container.faults += check_epistemic(
                self.arrays["epistemic"], self.arrays["var"], self.expected.genes
            )
        elif "var" + ENDING not in self.container.members:
            mend = "write var as well, the total variance"
            self.container.faults.append(
                Fault("epistemic", "stands without var", "no var", "0 ≤ epistemic ≤ var", mend)
            )

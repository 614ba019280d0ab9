"""PerturBench's split files: one line per cell, its id and `train`, `val`, `test` or nothing."""

from __future__ import annotations

import csv
import difflib
import io
from collections import Counter
from pathlib import Path

import numpy as np

from harness.datasets.dataset import PerturbDataset
from harness.digest import file_hash
from harness.errors import HarnessError
from harness.splits.assignment import ASIDE, CODE, Assignment, calib_notes
from harness.splits.create import check_dataset, freeze_checked
from harness.splits.official import PERTURBENCH, infer_axes, rules
from harness.splits.split import ROLES, Split

EXCLUDED = frozenset({"", "nan", "na", "none", "null", "<na>"})
"""What stands for *no split* in such files, in lower case."""


def import_perturbench(
    path: Path,
    dataset: PerturbDataset,
    *,
    name: str | None = None,
    allow_missing: bool = False,
    within_conditions: bool = False,
) -> Split:
    """Freeze an official split file over a dataset, cell by cell.

    Cells without a label are set aside. Cells of the dataset that the file does not name are refused, or set aside with
    `allow_missing`. `within_conditions` accepts files that divide the cells of a condition by design.
    """
    told = read_labels(path)
    row_of = _rows_by_id(dataset)
    if told and told[0][0] not in row_of and told[0][1] not in CODE and told[0][1].lower() not in EXCLUDED:
        told = told[1:]
    _refuse_twice([cell for cell, _ in told], path)
    foreign = [cell for cell, _ in told if cell not in row_of]
    if foreign:
        near = difflib.get_close_matches(foreign[0], row_of, n=1) if len(row_of) < 50_000 else []
        raise HarnessError(
            f"split file names {len(foreign)} cell{'s' if len(foreign) > 1 else ''} that the dataset does not have",
            where=path,
            got=", ".join(repr(cell) for cell in foreign[:5]),
            expected=f"ids of dataset {dataset.name}, e.g. {next(iter(row_of))!r}",
            mend=f"did you mean {near[0]!r}?"
            if near
            else "import the split over the dataset it was made for",
        )
    role_of = np.full(dataset.n_obs, ASIDE, np.int8)
    for cell, label in told:
        role_of[row_of[cell]] = _code(label, cell, path)
    missing = dataset.n_obs - len(told)
    if missing and not allow_missing:
        named = {cell for cell, _ in told}
        raise HarnessError(
            f"split file does not name {missing} of {dataset.n_obs} cells",
            where=path,
            got="without a line: " + ", ".join(repr(c) for c in [c for c in row_of if c not in named][:5]),
            expected="a line per cell; cells of no split have an empty label",
            mend="--allow-missing sets them aside",
        )
    unlabelled = int((role_of == ASIDE).sum()) - missing
    params = {
        "sha256": file_hash(path),
        "within_conditions": within_conditions,
        "allow_missing": allow_missing,
    }
    assignment = Assignment(
        role_of,
        infer_axes(dataset, role_of),
        params,
        notes=(
            f"imported cell by cell; {unlabelled} cells without a label and {missing} without a line are set aside",
            *calib_notes(dataset, role_of),
        ),
    )
    return freeze_checked(
        dataset, assignment, PERTURBENCH, rules(PERTURBENCH, params), name=name or path.name.split(".")[0]
    )


def read_labels(path: Path) -> list[tuple[str, str]]:
    """The lines of a split file as (cell id, label), both as they are written; a header is a line like others."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise HarnessError("split file not found", where=path, mend="check the path") from None
    except UnicodeDecodeError as error:
        raise HarnessError("split file is not UTF-8 text", where=path, got=error) from None
    lines = []
    for number, fields in enumerate(csv.reader(io.StringIO(text)), 1):
        if not fields:
            continue
        if len(fields) != 2:
            raise HarnessError(
                f"split file has a line with {len(fields)} column{'' if len(fields) == 1 else 's'}",
                where=f"{path}:{number}",
                got=",".join(fields)[:80],
                expected="cell id,split",
            )
        lines.append((fields[0], fields[1].strip()))
    return lines


def export_perturbench(split: Split, dataset: PerturbDataset) -> str:
    """A split as such a file: all five roles as they are called here, nothing for cells set aside."""
    check_dataset(split, dataset)
    names = np.array([*ROLES, ""], dtype=object)[split.role_codes()]
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(zip(dataset.cell_ids(), names, strict=True))
    return text.getvalue()


def _rows_by_id(dataset: PerturbDataset) -> dict[str, int]:
    ids = dataset.cell_ids().tolist()
    _refuse_twice(ids, dataset.path)
    return {cell: row for row, cell in enumerate(ids)}


def _refuse_twice(ids: list[str], where: Path) -> None:
    if len(set(ids)) == len(ids):
        return
    twice = [cell for cell, n in Counter(ids).items() if n > 1]
    raise HarnessError(
        f"{len(twice)} cell id{'s stand' if len(twice) > 1 else ' stands'} more than once",
        where=where,
        got=", ".join(repr(cell) for cell in twice[:5]),
        expected="each cell once",
    )


def _code(label: str, cell: str, path: Path) -> int:
    if label in CODE:
        return CODE[label]  # type: ignore[index]
    if label.lower() in EXCLUDED:
        return ASIDE
    near = difflib.get_close_matches(label, ROLES, n=1)
    raise HarnessError(
        f"unknown split {label!r}",
        where=path,
        got=f"cell {cell!r}",
        expected=", ".join(ROLES) + " or nothing",
        mend=f"did you mean {near[0]!r}?" if near else None,
    )

"""Checks by running again: the same seed twice, and the same questions with the names of perturbations exchanged."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from harness.audit.finding import Finding, found, skipped
from harness.audit.stage import Stage
from harness.audit.subject import Subject
from harness.contract.predictions import PredictionsFile
from harness.contract.task import TASK_FILE
from harness.digest import file_hash
from harness.storage import read_json, write_json

Effects = NDArray[np.float64]  # [conditions, genes]
ROUNDING = 1e-5
"""Difference between two runs, relative to the size of predictions, that threads may leave."""
MOST_BY_PLACE = 0.5
NAMED = ("pert_id", "pert_genes")


def same_seed_finding(first: PredictionsFile, again: PredictionsFile) -> Finding:
    """Two runs with one seed say the same."""
    name = "same seed twice"
    a, b = (np.asarray(file.mean)[file.order].astype(np.float64) for file in (first, again))
    gap = float(np.abs(a - b).max())
    size = float(np.sqrt(np.square(a).mean()))
    if gap == 0:
        return found(name, True, 0.0, "both runs give the same bits")
    ok = gap <= ROUNDING * max(size, 1e-12)
    said = "by rounding alone" if ok else "the seed does not decide what it predicts"
    return found(name, ok, gap, f"predictions differ by up to {gap:.3g}: {said}")


def renamed_finding(stage: Stage, subject: Subject, first: PredictionsFile, room: Path) -> Finding:
    """Exchange the perturbations that rows ask for: predictions must go with the names, not with the places."""
    name = "renamed perturbations"
    if stage.task.card.input_format != "folder":
        return skipped(name, "its task comes as AnnData files")
    folder = room / "renamed"
    shutil.copytree(stage.task.public, folder)
    for path in folder.rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o644)
    asked, exchanged = exchange_names(folder)
    file = subject.run(stage.task, room / "run", public=folder)
    return judge_renamed(_effects(first, asked), _effects(file, exchanged), asked, exchanged)


def judge_renamed(
    before: dict[str, Effects], after: dict[str, Effects], asked: list[str], exchanged: list[str]
) -> Finding:
    """How far predictions of a question move when it is asked in other rows, against those of the rows that it left."""
    name = "renamed perturbations"
    was = dict(zip(exchanged, asked, strict=True))
    moved = [question for question in after if was[question] != question]
    if not moved:
        return skipped(name, "no context asks for two perturbations")
    by_name = sum(float(np.square(after[q] - before[q]).sum()) for q in moved)
    by_place = sum(float(np.square(after[q] - before[was[q]]).sum()) for q in moved)
    size = sum(float(np.square(before[q]).sum()) for q in moved)
    if max(by_name, by_place) <= ROUNDING**2 * max(size, 1e-12):
        return found(
            name, True, 0.0, "it says the same whatever is asked, so that names and places cannot differ"
        )
    share = by_name / (by_name + by_place)
    ok = share < MOST_BY_PLACE
    said = (
        "go with the names" if ok else "stay with the rows: it keys on their order or on a file beside them"
    )
    return found(name, ok, share, f"predictions {said} ({share:.0%} of the movement is by place)", leak=True)


def exchange_names(folder: Path) -> tuple[list[str], list[str]]:
    """Give every question of a context the rows of another; the question of each row before and after."""
    path = folder / "query" / "obs.tsv"
    with path.open(encoding="utf-8", newline="") as handle:
        reader = csv.DictReader(handle, delimiter="\t", quoting=csv.QUOTE_NONE)
        columns, rows = list(reader.fieldnames or ()), list(reader)
    kept = [column for column in columns if column not in (*NAMED, "row", "batch_id")]
    before = [_question(row, kept) for row in rows]
    labels: dict[tuple[str, ...], dict[str, tuple[str, ...]]] = {}
    for row, question in zip(rows, before, strict=True):
        labels.setdefault(tuple(row[c] for c in kept), {})[question] = tuple(row[c] for c in NAMED)
    for group in labels.values():
        names = sorted(group)
        turned = [group[name] for name in (*names[1:], *names[:1])]
        group.update(zip(names, turned, strict=True))
    for row, question in zip(rows, before, strict=True):
        row.update(zip(NAMED, labels[tuple(row[c] for c in kept)][question], strict=True))
    lines = ["\t".join(columns), *("\t".join(row[c] for c in columns) for row in rows)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    card = read_json(folder / TASK_FILE, "task card")
    card["files"]["query/obs.tsv"] = file_hash(path)
    write_json(folder / TASK_FILE, card)
    return before, [_question(row, kept) for row in rows]


def _question(row: dict[str, str], kept: list[str]) -> str:
    return "\t".join([*(row[column] for column in kept), row["pert_id"]])


def _effects(file: PredictionsFile, questions: list[str]) -> dict[str, Effects]:
    """Mean prediction of each question's rows."""
    mean = np.asarray(file.mean)[file.order].astype(np.float64)
    names = np.array(questions)
    return {name: mean[names == name].mean(axis=0) for name in dict.fromkeys(questions)}

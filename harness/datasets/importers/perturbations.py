"""Perturbation names: parts of combinations in one order, controls under one name, target genes."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from harness.datasets.importers.columns import CONTROL_LABELS
from harness.datasets.importers.report import Report, examples
from harness.datasets.obs import Labels

CONTROL = "control"
JOIN = "+"


@dataclass(frozen=True)
class Perturbations:
    """Perturbation of each row, and what each targets."""

    pert: Labels
    is_control: np.ndarray
    genes: dict[str, list[str]]


def control_labels(levels: Sequence[str], told: str | list[str] | None, report: Report) -> set[str]:
    """The names of the control among the perturbation names: as told, else by common names."""
    if told is None:
        found = {level for level in levels if level.casefold() in CONTROL_LABELS}
        if found and found != {CONTROL}:
            report.note(f"control label guessed: {examples(sorted(found))}")
        return found
    wanted = {told} if isinstance(told, str) else set(told)
    for label in sorted(wanted - set(levels)):
        if not any(label in level for level in levels):
            report.fault(
                f"no row is called {label!r}; perturbations: {examples(levels, 12)}", "name the control label"
            )
    return wanted


def name_perturbations(
    raw: Labels,
    controls: set[str],
    is_control: np.ndarray | None,
    delimiter: str | None,
    kind: Literal["auto", "gene", "other"],
    genes: Collection[str],
    report: Report,
) -> Perturbations:
    """Rows under canonical names: `B+A` is `A+B`, a control part is dropped, every control is `control`."""
    split = JOIN if delimiter is None else delimiter
    known = set(genes)
    if kind == "auto":
        parts = {
            part for level in raw.levels if level not in controls for part in _parts(level, split, controls)
        }
        kind = "gene" if parts & known else "other"
        split = split if kind == "gene" else ""
        report.note(f"perturbations are taken as {'genes' if kind == 'gene' else 'other than genes'}")
    parts_of = [_parts(level, split, controls) for level in raw.levels]
    names = [JOIN.join(parts) or CONTROL for parts in parts_of]
    _note_renamed(raw.levels, names, report)
    by_label = np.array([not parts for parts in parts_of], bool)[raw.codes]
    if is_control is None:
        is_control = by_label
    _check_agreement(raw, by_label, is_control, report)
    canonical = np.array([*names, CONTROL], object)[np.where(is_control, len(names), raw.codes)]
    if (
        CONTROL in {name for name, parts in zip(names, parts_of, strict=True) if parts}
        and (canonical[~is_control] == CONTROL).any()
    ):
        report.fault(f"rows that are no controls are called {CONTROL!r}", "say control_label")
    targets = dict(zip(names, parts_of, strict=True)) if kind == "gene" else {}
    used = set(canonical[~is_control])
    chosen = {name: parts for name, parts in targets.items() if name in used}
    _note_missing_genes(chosen, known, report)
    return Perturbations(Labels.of(canonical), is_control, chosen)


def _parts(level: str, delimiter: str, controls: set[str]) -> list[str]:
    if level in controls:
        return []
    parts = [part.strip() for part in level.split(delimiter)] if delimiter else [level]
    return sorted({part for part in parts if part and part not in controls})


def _note_renamed(levels: Sequence[str], names: Sequence[str], report: Report) -> None:
    renamed = [f"{old} → {new}" for old, new in zip(levels, names, strict=True) if old != new]
    if renamed:
        report.note(f"perturbations renamed: {examples(renamed)}")


def _check_agreement(raw: Labels, by_label: np.ndarray, is_control: np.ndarray, report: Report) -> None:
    lost = by_label & ~is_control
    if lost.any():
        called = raw.levels[raw.codes[np.flatnonzero(lost)[0]]]
        report.fault(
            f"{int(lost.sum())} rows are called {called!r} but are no controls by the control column",
            "mend either column",
        )


def _note_missing_genes(targets: dict[str, list[str]], known: set[str], report: Report) -> None:
    wanted = sorted({gene for parts in targets.values() for gene in parts})
    missing = [gene for gene in wanted if gene not in known]
    if missing:
        report.note(
            f"{len(missing)} of {len(wanted)} perturbed genes are not in the gene list: {examples(missing, 8)}"
        )

"""The parity panels: which modules recompute which format, and checking a whole folder of cases."""

from __future__ import annotations

import importlib
import json
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, cast

from harness.errors import HarnessError, UnknownNameError
from harness.parity.deviation import Deviation

PANELS = ("scperturbench", "perturbench", "celleval", "splits")
NOT_RECOMPUTED = "(the case)"


class Panel(Protocol):
    """What the module of a panel offers."""

    def cases(self, folder: Path) -> list[Path]:
        """The cases of a folder, as their documents."""
        ...

    def check(self, case: Path) -> list[Deviation]:
        """Recompute one case; one deviation a metric."""
        ...


@dataclass(frozen=True)
class Line:
    """One metric over all cases of a folder."""

    metric: str
    cases: int
    compared: int
    skipped: int
    farthest: Deviation
    """The deviation that is largest for its tolerance."""
    missed: int
    """Cases in which the tolerance is not kept."""
    notes: tuple[str, ...]

    @property
    def ok(self) -> bool:
        return self.missed == 0


def open_panel(name: str) -> Panel:
    """The module of a panel."""
    if name not in PANELS:
        raise UnknownNameError("panel", name, PANELS)
    return cast(Panel, importlib.import_module(f"harness.parity.{name}"))


def check_folder(
    folder: Path, panel: str, progress: Callable[[int, int], None] | None = None
) -> list[Deviation]:
    """Recompute every case of a folder. A case that cannot be recomputed, or compares nothing, is a miss."""
    module = open_panel(panel)
    cases = find_cases(module, folder, panel)
    found: list[Deviation] = []
    for done, case in enumerate(cases, start=1):
        found += _check_case(module, case)
        if progress is not None:
            progress(done, len(cases))
    return found


def find_cases(module: Panel, folder: Path, panel: str) -> list[Path]:
    """The cases of a folder; a folder without any is refused, never a success."""
    if not folder.is_dir():
        raise HarnessError(
            "no folder of parity cases here", where=folder, got="a file" if folder.exists() else "nothing"
        )
    cases = _cases(module, folder, panel)
    if not cases:
        deeper = [
            path.name for path in sorted(folder.iterdir()) if path.is_dir() and _cases(module, path, panel)
        ]
        raise HarnessError(
            f"this folder holds no case of panel {panel}",
            where=folder,
            got=", ".join(path.name for path in sorted(folder.iterdir())[:5]) or "an empty folder",
            expected="documents NAME.json with their arrays beside them",
            mend=f"name the folder itself: {folder / deeper[0]}"
            if deeper
            else "name another --panel, or folder",
        )
    return cases


def summary(deviations: Iterable[Deviation]) -> list[Line]:
    """One line per metric, in the order in which metrics appear."""
    by_metric: dict[str, list[Deviation]] = {}
    for deviation in deviations:
        by_metric.setdefault(deviation.metric, []).append(deviation)
    return [
        Line(
            metric,
            len({d.case for d in some if d.compared}),
            sum(d.compared for d in some),
            sum(d.skipped for d in some),
            max(some, key=_distance),
            sum(not d.ok for d in some),
            tuple(sorted({d.note for d in some if d.note})),
        )
        for metric, some in by_metric.items()
    ]


def _cases(module: Panel, folder: Path, panel: str) -> list[Path]:
    """Documents that are of the panel by what they hold, whatever their names, and those it knows by name."""
    named = set(module.cases(folder))
    kinds = {path: document_kind(path) for path in sorted(folder.glob("*.json"))}
    return [path for path, kind in kinds.items() if kind == panel or (kind is None and path in named)]


def _check_case(module: Panel, case: Path) -> list[Deviation]:
    try:
        found = module.check(case)
    except (HarnessError, OSError, LookupError, TypeError, ValueError) as error:
        text = " · ".join(str(error).split("\n"))
        return [
            Deviation(case.stem, NOT_RECOMPUTED, math.inf, 0.0, 0, note=f"{type(error).__name__}: {text}")
        ]
    if not any(deviation.compared for deviation in found):
        return [
            *found,
            Deviation(case.stem, NOT_RECOMPUTED, math.inf, 0.0, 0, note="nothing could be compared"),
        ]
    return found


def _distance(deviation: Deviation) -> tuple[bool, float, float]:
    """Misses first, then by share of the tolerance that is used."""
    used = deviation.worst / deviation.tolerance if deviation.tolerance else deviation.worst
    return not deviation.ok, used, deviation.tolerance


def document_kind(case: Path) -> str | None:
    """The panel that a document was written for, by its keys; None where it is of none."""
    try:
        document = json.loads(case.read_text(encoding="utf-8"))
    except ValueError:
        return None
    if not isinstance(document, dict):
        return None
    if document.get("panel") in PANELS:
        return str(document["panel"])
    if "splitter_method" in document:
        return "splits"
    if "groups" in document or "rows" in document:
        return "scperturbench"
    expected = document.get("expected")
    if isinstance(expected, dict):
        return "celleval" if {"per_perturbation", "error"} & set(expected) else "perturbench"
    return None


def panel_of(folder: Path) -> str:
    """The one panel that the documents of a folder are of; a folder of several, or of none, is refused."""
    kinds = {document_kind(path) for path in sorted(folder.glob("*.json"))} - {None}
    if len(kinds) != 1:
        raise HarnessError(
            "which panel these cases are of is not clear",
            where=folder,
            got=", ".join(sorted(str(kind) for kind in kinds)) or "no parity case",
            expected=f"--panel {'|'.join(PANELS)}",
        )
    return str(kinds.pop())

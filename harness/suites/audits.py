"""Audits of a suite's submissions: made once for each content, kept beside the report, shown in it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.digest import Digest
from harness.storage import make_folder, read_json, write_json
from harness.suites.cells import Cell

FOLDER = "audits"


@dataclass(frozen=True)
class Audited:
    """One submission's audit, if it was made."""

    entry: str
    document: dict[str, Any] | None

    @property
    def sentence(self) -> str:
        """What it found, on a line."""
        if self.document is None:
            return "not audited yet: harness suite run does it"
        findings = self.document["findings"]
        failed = [f"{one['check']}: {one['reason']}" for one in findings if one["state"] == "fail"]
        if failed:
            return f"**failed** {'; '.join(failed)}"
        return (
            f"passed {sum(one['state'] == 'pass' for one in findings)} of {len(findings)} checks, none failed"
        )


def audits(folder: Path, cells: Sequence[Cell], names: Sequence[str]) -> tuple[Audited, ...]:
    """The audits that are kept."""
    found = []
    for name in names:
        cell = next((one for one in cells if one.entry == name), None)
        path = None if cell is None else _path(folder, cell)
        document = read_json(path, "audit") if path is not None and path.is_file() else None
        found.append(Audited(name, document))
    return tuple(found)


def make_audits(
    folder: Path, cells: Sequence[Cell], names: Sequence[str], say: Callable[[str], None]
) -> None:
    """Audit every submission named whose content was not audited yet."""
    from harness.audit.audit import audit  # heavy, and only here
    from harness.audit.subject import Subject

    for name in names:
        cell = next((one for one in cells if one.entry == name), None)
        if cell is None or _path(folder, cell).is_file():
            continue
        request = cell.plan.request
        subject = Subject.of(request.folder, request.variant, request.runtime)
        page = audit(subject, say=lambda check, name=name: say(f"{name} · {check}"))  # type: ignore[misc]
        make_folder(folder / FOLDER)
        write_json(_path(folder, cell), page.document())


def _path(folder: Path, cell: Cell) -> Path:
    """Named by what was audited: the content, and its variant."""
    card = cell.plan.config.submission
    digest = Digest("audited").field("content", card.content_hash).field("variant", card.variant or "")
    return folder / FOLDER / f"{card.name}-{digest.hexdigest()[:16]}.json"

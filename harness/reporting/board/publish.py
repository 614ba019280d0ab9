"""Publishing: a whole site beside the old one, then in its place; what has not changed is taken over."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.digest import file_hash
from harness.errors import ExistsError, HarnessError
from harness.records.page_seal import seal_page
from harness.records.run_folder import RunFolder
from harness.records.seal import read_seal
from harness.reporting.board import tables
from harness.reporting.board.entry import SCORECARD, Entry
from harness.reporting.board.names import scorecard_page
from harness.reporting.board.pages import board_pages
from harness.reporting.board.reading import read_entries, refuse_mixed_tasks, refuse_mixed_versions
from harness.reporting.board.site import Site, make_site
from harness.reporting.board.standings import standings
from harness.splits.store import SplitStore
from harness.storage import make_folder, naming, read_json, scratch_folder

TITLE = "Perturbation prediction board"
Step = Callable[[str, int, int], None]
"""Told (what is being done, how much of it is, how much it is in all)."""


@dataclass(frozen=True)
class Published:
    """What was put on a board."""

    out: Path
    site: Site
    pages: int
    scorecards: int
    taken_over: int
    """Scorecards that the site held already."""


def compile_site(
    folders: Sequence[Path],
    *,
    splits: SplitStore | None,
    title: str = TITLE,
    any_isolation: bool = False,
    step: Step | None = None,
) -> Site:
    """The board of some run folders; what must not stand on one board is refused."""
    tell = step or _nobody
    entries = read_entries(folders, lambda done, of: tell("reading records", done, of))
    refuse_mixed_tasks(entries)
    tell("comparing submissions", 0, 1)
    tasks = standings(entries, any_isolation=any_isolation)
    refuse_mixed_versions(tasks)
    return make_site(tasks, splits, title)


def publish(site: Site, out: Path, *, step: Step | None = None) -> Published:
    """Write a site; it appears whole, in place of the board that stood there, or not at all."""
    refuse_foreign(out)
    tell = step or _nobody
    with scratch_folder(out) as scratch:
        fresh = scratch / "site"
        n_pages = _write_pages(site, fresh, tell)
        taken = _write_scorecards(site, fresh, out, tell)
        _put(fresh, out, scratch / "old")
    return Published(out, site, n_pages, len(site.scorecards), taken)


def refuse_foreign(out: Path) -> None:
    """Refuse to replace a folder that holds something else than a board."""
    if not out.exists() or (out.is_dir() and not any(out.iterdir())):
        return
    try:
        known = read_json(out / tables.DOCUMENT, "board").get("kind") == tables.KIND
    except (HarnessError, AttributeError, OSError):
        known = False
    if not known:
        raise ExistsError(
            "this folder holds something else than a board",
            where=out,
            expected=f"a new or empty folder, or one with a {tables.DOCUMENT} of harness publish",
            mend="choose another folder for --out",
        )


def _write_pages(site: Site, fresh: Path, tell: Step) -> int:
    count = 0
    for path, content in _contents(site):
        target = fresh / path
        make_folder(target.parent)
        with naming(target):
            target.write_bytes(content)
        count += path.endswith(".html")
        tell("writing pages", count, 0)
    return count


def _contents(site: Site) -> Iterator[tuple[str, bytes]]:
    for path, html in board_pages(site):
        yield path, html.encode()
    yield tables.DOCUMENT, tables.document(site).encode()
    yield tables.CSV, tables.csv_text(site).encode()
    yield tables.PARQUET, tables.parquet_bytes(site)


def _write_scorecards(site: Site, fresh: Path, out: Path, tell: Step) -> int:
    """Every scorecard; how many of them the old site held already."""
    taken = 0
    shown = [entry for entry in site.entries if entry.run in site.scorecards]
    for number, entry in enumerate(shown, start=1):
        path = scorecard_page(entry.run)
        target = fresh / path
        make_folder(target.parent)
        taken += _write_scorecard(entry, target, out / path)
        tell("scorecards", number, len(shown))
    return taken


def _write_scorecard(entry: Entry, target: Path, old: Path) -> bool:
    """One scorecard, as it was sealed with its run; whether the old site had it."""
    seal = read_seal(entry.path)
    expected = seal.pages.get(SCORECARD)
    with naming(target):
        if expected is None:
            target.write_text(_rendered(entry, seal.record_sha256), encoding="utf-8")
            return False
        if old.is_file() and not old.is_symlink() and file_hash(old) == expected:
            os.link(old, target)
            return True
        shutil.copyfile(entry.path / SCORECARD, target)
    return False


def _rendered(entry: Entry, record_sha256: str) -> str:
    """The scorecard of a run that has none beside it, sealed as `harness report render` would."""
    from harness.reporting.scorecard.compile import sheet_of_run
    from harness.reporting.scorecard.write import PAGE, pages_of

    html = pages_of(sheet_of_run(RunFolder(entry.path, entry.record)))[PAGE]
    return seal_page(html, entry.run, record_sha256)


def _put(fresh: Path, out: Path, old: Path) -> None:
    """Put the new site in the place of the old one; where that fails the old one stands."""
    out = out.absolute()
    stood = out.exists()
    if stood:
        os.rename(out, old)
    try:
        os.rename(fresh, out)
    except BaseException:
        if stood:
            os.rename(old, out)
        raise


def _nobody(what: str, done: int, of: int) -> None:
    """Nobody listens."""

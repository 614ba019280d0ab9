"""One page of every kind, made once: from two real runs of a tiny task, also with names chosen to do harm."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from harness.contract.status import RunStatus
from harness.controls.baselines import baselines_folder
from harness.datasets.dataset import PerturbDataset
from harness.records.run_folder import RunFolder
from harness.reporting.atlas.gather import make_atlas, runs_of_task
from harness.reporting.atlas.page import page as atlas_page
from harness.reporting.board.entry import Entry, read_entry
from harness.reporting.board.pages import INDEX, board_pages
from harness.reporting.board.publish import compile_site, publish
from harness.reporting.board.site import make_site
from harness.reporting.board.standings import standings
from harness.reporting.scorecard.compile import compile_sheet
from harness.reporting.scorecard.parts import Parts, parts_of
from harness.reporting.scorecard.write import PAGE, pages_of
from harness.schedulers.submit import SubmitRequest, plan_run, submit
from harness.splits.create import create_split
from harness.splits.store import SplitStore

HOSTILE = '<script>document.title="harmed"</script>"\'&{{ 7*7 }}\u202eevil\u202c \U0001f9ec ' + "x" * 10_000
MANY = 1000


@dataclass(frozen=True)
class Gallery:
    """Where the pages lie."""

    folder: Path
    site: Path
    """A published board with the scorecards of both runs."""

    def page(self, name: str) -> Path:
        return self.folder / f"{name}.html"


PAGES = ("scorecard", "refused", "hostile", "atlas", "many", "hostile-board")
SITE = ("index.html", "metrics/index.html")


def make_gallery(folder: Path, dataset: PerturbDataset) -> Gallery:
    """Run, score, render and publish."""
    runs = [
        _run(folder, dataset, "per_perturbation_mean"),
        _run(folder, dataset, "global_mean", controls=False),
    ]
    made = Gallery(folder, folder / "site")
    parts = parts_of(runs[0])
    _write(made, "scorecard", (runs[0].path / PAGE).read_text(encoding="utf-8"))
    _write(made, "refused", pages_of(compile_sheet(_refused(parts)))[PAGE])
    _write(made, "hostile", pages_of(compile_sheet(_renamed(parts)))[PAGE])
    task = parts.record.task.name
    _write(made, "atlas", atlas_page(make_atlas(runs_of_task(runs, task, "val"), "calibrated.wmse")))
    splits = SplitStore(folder / "splits")
    splits.save(create_split(dataset, "context_ood"))
    folders = [run.path for run in runs]
    publish(compile_site(folders, splits=splits), made.site)
    entry = read_entry(runs[0].path)
    _write(made, "many", _index([_called(entry, f"model-{i:04}", i) for i in range(MANY)]))
    _write(made, "hostile-board", _index([_called(entry, HOSTILE, 0), _called(entry, "\u202eltr\u202c", 1)]))
    return made


def _run(folder: Path, dataset: PerturbDataset, name: str, *, controls: bool = True) -> RunFolder:
    request = SubmitRequest(
        folder=baselines_folder() / name, dataset=dataset, split=create_split(dataset, "context_ood"),
        runs=folder / "runs", task_cache=folder / "tasks", controls=controls,
    )  # fmt: skip
    return submit(plan_run(request))


def _write(made: Gallery, name: str, html: str) -> None:
    made.page(name).write_text(html, encoding="utf-8")


def _refused(parts: Parts) -> Parts:
    reason = "predictions were refused\n  got: NaN in 3 rows"
    record = parts.record.model_copy(update={"status": RunStatus.INVALID, "reason": reason})
    return replace(parts, record=record, metrics=None, table=None, controls=None, verdict=None, scaled={})


def _renamed(parts: Parts) -> Parts:
    """The same run, where everything that a stranger may name is named with intent to harm."""
    record = parts.record
    submission = record.submission.model_copy(update={"name": HOSTILE})
    record = record.model_copy(
        update={
            "submission": submission,
            "authors": [HOSTILE],
            "task": record.task.model_copy(update={"name": HOSTILE}),
            "dataset": record.dataset.model_copy(update={"name": HOSTILE}),
        }
    )
    params = parts.config.params.model_copy(update={"resolved": {HOSTILE: HOSTILE}})
    config = parts.config.model_copy(update={"params": params})
    return replace(parts, record=record, config=config, log=HOSTILE)


def _called(entry: Entry, name: str, number: int) -> Entry:
    record = entry.record
    submission = record.submission.model_copy(update={"name": name, "content_hash": f"{number:064x}"})
    run = f"20260101-{number:06}_0000000_model_0000000"
    return replace(
        entry, path=entry.path.with_name(run), house=number % 7 == 0, scorecard=True,
        record=record.model_copy(update={"run": run, "submission": submission}),
        config=entry.config.model_copy(update={"submission": submission}),
    )  # fmt: skip


def _index(entries: list[Entry]) -> str:
    pages = dict([next(iter(board_pages(make_site(standings(entries), None, "Board"))))])
    return pages[INDEX]

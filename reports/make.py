"""Make the published board: run what is missing or outdated, keep the records, publish them. `make board`.

python reports/make.py [--dry-run] [--jobs N] [--only TASK …]

The board shows test. Each configuration runs on validation first, which opens test; those runs stay in the runs folder.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from harness.contract.content import submission_hash
from harness.contract.manifest import load_manifest
from harness.errors import HarnessError
from harness.records.record import RunRecord
from harness.records.run_folder import list_runs
from harness.records.versions import version_of
from harness.reporting.board.current import Today, outdated
from harness.reporting.board.keep import keep_records
from harness.reporting.board.publish import compile_site, publish
from harness.scoring.document import versions
from harness.settings import load_settings
from harness.splits.index import read_index
from harness.splits.store import SplitStore
from harness.storage import read_toml

HERE = Path(__file__).parent
RECORDS, SITE, PLAN = HERE / "records", HERE / "site", HERE / "board.toml"


class Wanted(NamedTuple):
    """One run that the board holds."""

    task: str
    submission: str
    eval_split: str
    seed: int


def wanted(plan: dict[str, object]) -> Iterator[Wanted]:
    """Every run of the plan."""
    seeds: dict[str, int] = plan["seeds"]  # type: ignore[assignment]
    for task in plan["tasks"]:  # type: ignore[attr-defined]
        for kind in ("baselines", "models"):
            for submission in plan[kind]:  # type: ignore[attr-defined]
                for seed in range(seeds[kind]):
                    yield Wanted(task, submission.replace("_", "-"), "test", seed)


def today() -> Today:
    """Submissions, splits and metrics as they are now."""
    settings = load_settings(HERE.parent)
    contents = {}
    for manifest in sorted(settings.submissions.glob("**/submission.toml")):
        told = load_manifest(manifest.parent)
        contents[told.name] = submission_hash(manifest.parent, told)
    index = read_index(settings.splits)
    splits = {f"{data}:{name}": one for data, names in index.splits.items() for name, one in names.items()}
    return Today(contents, splits, version_of({"versions": versions()}))


def key_of(record: RunRecord) -> Wanted:
    """Which run of the plan a record is."""
    return Wanted(record.task.name, record.submission.name, record.task.eval_split, record.seed)


def found(plan: list[Wanted], now: Today) -> dict[Wanted, Path]:
    """Current, judged runs of the plan, kept or in the runs folder; of each the newest."""
    told: dict[Wanted, Path] = {}
    for folder in (RECORDS, load_settings(HERE.parent).runs):
        for run in list_runs(folder):
            plain = run.record.submission.variant is None and not run.config().params.passed
            judged = run.record.controls or run.record.metrics_version is None
            if plain and judged and key_of(run.record) in plan and outdated(run.record, now) is None:
                told[key_of(run.record)] = run.path
    return told


def submit(one: Wanted, folders: dict[str, Path]) -> None:
    """Hand one run in, on validation and then on its own conditions; whatever its end, it leaves a record."""
    words = ["submit", str(folders[one.submission]), "--task", one.task, "--seed", str(one.seed), "--yes"]
    for eval_split in ("val", one.eval_split):
        command = [sys.executable, "-m", "harness.cli.main", *words, "--eval-split", eval_split]
        done = subprocess.run(command, cwd=HERE.parent, check=False, capture_output=True, text=True)
        print(f"{' '.join(map(str, one))}, {eval_split}: exit code {done.returncode}", flush=True)
        if done.returncode:
            print(done.stderr[-2000:], flush=True)


def main() -> int:
    """Run what is missing, then publish."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--dry-run", action="store_true", help="say what is missing, run nothing")
    parser.add_argument("--only", nargs="+", metavar="TASK", help="these tasks alone")
    parser.add_argument("--jobs", type=int, default=2, help="runs at one time")
    words = parser.parse_args()
    plan = [one for one in wanted(read_toml(PLAN, "plan")) if words.only is None or one.task in words.only]
    settings, now = load_settings(HERE.parent), today()
    there = found(plan, now)
    missing = [one for one in plan if one not in there]
    print(f"{len(plan)} runs, {len(missing)} missing or outdated", flush=True)
    if words.dry_run:
        print("\n".join(" ".join(map(str, one)) for one in missing))
        return 0
    folders = {
        load_manifest(one.parent).name: one.parent for one in settings.submissions.glob("**/submission.toml")
    }
    with ThreadPoolExecutor(words.jobs) as pool:
        list(pool.map(lambda one: submit(one, folders), missing))
    there = found(plan, now)
    site = compile_site(
        sorted(there.values()),
        splits=SplitStore(settings.splits),
        title=str(read_toml(PLAN, "plan")["title"]),
    )
    keep_records(site.entries, RECORDS)
    done = publish(site, SITE)
    print(f"{done.pages} pages, {done.scorecards} scorecards: {SITE / 'index.html'}")
    return 0 if len(there) == len(plan) else 1


if __name__ == "__main__":
    try:
        sys.exit(main())
    except HarnessError as error:
        sys.exit(str(error))

"""What `harness sweep` and `harness suite` share: which file is meant, what its runs are, how they are brought to an end."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from harness.cli.batch_submit import On

if TYPE_CHECKING:
    from harness.schedulers.batch import Batch, BatchPlan
    from harness.settings import Settings
    from harness.suites.cells import Cell
    from harness.suites.handing_in import Source
    from harness.suites.standing import Standing

FOLDER = "suites"
ON = typer.Option(
    On.LOCAL, help="Where the runs go; SLURM takes its options from harness.toml, and this returns at once."
)
JOBS = typer.Option(None, min=1, help="local: runs at one time; by default as many as fit.")
DRY_RUN = typer.Option(
    False, "--dry-run", help="Say how many runs there are, which are left, how long they take; run nothing."
)

RETRY = typer.Option(False, "--retry", help="Run again what failed, or ran out of time or memory.")


def complete_definition(incomplete: str) -> list[str]:
    """Files of the suites folder, by name."""
    from harness.settings import load_settings

    names = sorted(path.stem for path in (load_settings().root / FOLDER).rglob("*.toml"))
    return [name for name in names if name.startswith(incomplete)]


FILE = typer.Argument(help="A TOML file, or the name of one in suites/.", autocompletion=complete_definition)


def definition_path(reference: str, settings: Settings) -> Path:
    """The file that is meant; an unknown name is refused with the nearest ones."""
    from harness.errors import UnknownNameError

    path = Path(reference)
    if path.is_file():
        return path
    known = {one.stem: one for one in sorted((settings.root / FOLDER).rglob("*.toml"))}
    if reference not in known:
        raise UnknownNameError("file", reference, known, where=settings.root / FOLDER)
    return known[reference]


def print_dry_run(
    source: Source, stand: Standing, jobs: int | None, settings: Settings, as_json: bool
) -> None:
    """How much there is to do."""
    from harness.cli.show import print_json, print_table
    from harness.schedulers.batch_plan import fitting_jobs, needs_of
    from harness.suites.estimate import estimate

    left = stand.left
    at_once = jobs or (fitting_jobs([needs_of(cell.plan) for cell in left]) if left else 1)
    cost = estimate(left, settings.runs, at_once)
    if as_json:
        print_json(
            {
                source.kind: source.name,
                "runs": len(stand.cells),
                "left": [cell.axes for cell in left],
                "counts": stand.counts(),
                "estimate": vars(cost) | {"sentence": cost.sentence},
            }
        )
        return
    print_counts(source, stand)
    rows = [[cell.entry, cell.task, cell.seed] for cell in left]
    print_table("Would run", ["submission", "task", "seed"], rows, empty="everything stands already")
    typer.echo(cost.sentence)


def print_counts(source: Source, stand: Standing) -> None:
    """A line per submission and task: how many of its seeds are where."""
    from harness.cli.show import print_table

    words: dict[tuple[str, str], list[str]] = {}
    for cell in stand.cells:
        words.setdefault((cell.entry, cell.task), []).append(stand.word(cell))
    rows = [
        [entry, task, ", ".join(f"{found.count(word)} {word}" for word in dict.fromkeys(found))]
        for (entry, task), found in words.items()
    ]
    print_table(f"{source.kind.capitalize()} {source.name}", ["submission", "task", "runs"], rows)
    typer.echo(", ".join(f"{n} {word}" for word, n in stand.counts().items()))


def plan_of_left(
    source: Source, cells: Sequence[Cell], on: On, jobs: int | None, settings: Settings
) -> BatchPlan:
    """The batch of what is left."""
    from harness.schedulers.slurm.options import slurm_options
    from harness.suites.handing_in import plan_left

    if jobs is not None and on is On.SLURM:
        raise typer.BadParameter("--jobs is of the local pool; SLURM's own is array_limit in harness.toml")
    options: dict[str, Any] = slurm_options(settings.slurm, {}).document() if on is On.SLURM else {}
    return plan_left(source, cells, on=on.value, root=settings.root, jobs=jobs, slurm=options)


def do_left(
    source: Source,
    cells: Sequence[Cell],
    on: On,
    jobs: int | None,
    settings: Settings,
    again: str,
    as_json: bool,
) -> bool:
    """Run what is left here, or hand it in; whether it was brought to its end."""
    from harness.cli.batch import print_handed_in
    from harness.cli.progress import live_pool
    from harness.schedulers.batch_plan import write_batch
    from harness.schedulers.local import run_pool

    if not cells:
        return True
    plan = plan_of_left(source, cells, on, jobs, settings)
    batch = write_batch(plan, [cell.plan for cell in cells])
    if on is On.SLURM:
        from harness.schedulers.slurm.launch import launch_new

        print_handed_in(batch, launch_new(batch), as_json)
        return False
    try:
        with live_pool(f"{source.kind} {source.name}", len(batch.plan.parts)) as bars:
            run_pool(batch, bars)
    except KeyboardInterrupt:
        typer.echo(f"stopped; go on with: {again}", err=True)
        raise
    _tell_faults(batch, again)
    return True


def _tell_faults(batch: Batch, again: str) -> None:
    """What the harness could not do, and why."""
    from harness.schedulers.batch_markers import marked, read_marker

    faulty = sorted(marked(batch)["fault"])
    for number in faulty:
        fault = read_marker(batch, number, "fault")
        typer.echo(f"not done: {batch.part(number).label}: {fault.reason if fault else ''}", err=True)
    if faulty:
        typer.echo(f"try again with: {again}", err=True)


def exit_code(stand: Standing) -> int:
    """0, or that of the first run that did not end `ok`; a run that was declined is no fault."""
    from harness.contract.status import RunStatus

    for cell in stand.cells:
        run = stand.run(cell)
        if run is None:
            return RunStatus.ENVIRONMENT.exit_code
        if run.record.status not in (RunStatus.OK, RunStatus.DECLINED):
            return int(run.record.status.exit_code)
    return 0

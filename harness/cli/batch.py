"""`harness batch`: runs that were handed in together: how far they are, going on with them, what came out."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import typer

from harness.cli.show import JSON_OPTION

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from harness.schedulers.batch import Batch, BatchPlan
    from harness.schedulers.batch_collect import Collected
    from harness.schedulers.batch_status import BatchStatus
    from harness.schedulers.slurm.arrays import Array

BETWEEN_LOOKS_S = (0.5, 10.0)
"""The first and the longest wait between two questions to a scheduler."""

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="markdown",
    help="Runs handed in together: list, status, resume, cancel, logs, collect.",
)


def complete_batch(incomplete: str) -> list[str]:
    """Names of batches."""
    from harness.schedulers.batch import list_batches
    from harness.settings import load_settings

    names = [batch.name for batch in list_batches(load_settings().runs)]
    return [name for name in [*names, "last"] if name.startswith(incomplete)]


NAME = typer.Argument(help="Name, its beginning, or `last`.", autocompletion=complete_batch)


@app.command("list")
def list_all(as_json: bool = JSON_OPTION) -> None:
    """List the batches, and how many of their runs are finished. Asks no scheduler.

    Example: `harness batch list`
    """
    from harness.cli.show import print_json, print_table
    from harness.schedulers.batch import list_batches
    from harness.schedulers.batch_markers import marked
    from harness.settings import load_settings

    found = list_batches(load_settings().runs)
    entries = [
        {
            "batch": batch.name,
            "kind": batch.plan.purpose.kind,
            "on": batch.plan.on,
            "created": batch.plan.created,
            "parts": len(batch.plan.parts),
            "finished": len(marked(batch)["finished"]),
        }
        for batch in found
    ]
    if as_json:
        print_json(entries)
        return
    columns = ["batch", "kind", "on", "created", "parts", "finished"]
    print_table("Batches", columns, [[entry[column] for column in columns] for entry in entries])


@app.command()
def status(
    name: str = NAME,
    wait: bool = typer.Option(False, "--wait", help="Come back only when nothing moves any more."),
    as_json: bool = JSON_OPTION,
) -> None:
    """Say of every run of a batch where it is: finish markers first, then the queue, then accounting where there is one.

    Example: `harness batch status last`

    Example: `harness batch status last --wait`
    """
    from harness.cli.show import print_json
    from harness.schedulers.batch_status import batch_status

    batch = _find(name)
    found = _settled(batch) if wait else batch_status(batch)
    if as_json:
        print_json(found.document())
        return
    print_status(found)


@app.command()
def resume(
    name: str = NAME,
    retry: list[str] = typer.Option(
        [], "--retry", help="Also do runs again that ended with this status, e.g. environment. Repeatable."
    ),
    as_json: bool = JSON_OPTION,
) -> None:
    """Go on with a batch: everything without a finish marker that nobody works on is done again, and nothing else.

    A run that has been executed and waits to be scored is scored, not run again. On SLURM this hands in what is left and
    returns; a batch of this machine is brought to its end.

    Example: `harness batch resume last`

    Example: `harness batch resume last --retry environment`
    """
    from harness.cli.batch_submit import go_on
    from harness.contract.status import RunStatus
    from harness.errors import UnknownNameError
    from harness.schedulers.batch_markers import do_again

    for status in retry:
        if status not in list(RunStatus):
            raise UnknownNameError("status", status, [one.value for one in RunStatus])
    batch = _find(name)
    do_again(batch, [RunStatus(status) for status in retry])
    go_on(batch, as_json)


@app.command()
def cancel(name: str = NAME, as_json: bool = JSON_OPTION) -> None:
    """Take a batch out of the queue. What is finished stays; `resume` can go on with the rest.

    Example: `harness batch cancel last`
    """
    from harness.cli.show import print_json
    from harness.schedulers.local import stop_pool
    from harness.schedulers.slurm.launch import cancel as cancel_jobs

    batch = _find(name)
    stopped = cancel_jobs(batch) if batch.plan.on == "slurm" else stop_pool(batch)
    if as_json:
        print_json({"batch": batch.name, "cancelled": stopped})
        return
    typer.echo(
        f"{batch.name}: {stopped or 'nothing'} cancelled; go on with: harness batch resume {batch.name}"
    )


@app.command()
def logs(
    name: str = NAME,
    part: int = typer.Option(None, min=1, help="Only what belongs to this part."),
    lines: int = typer.Option(20, min=1, help="How many of the last lines of each."),
    as_json: bool = JSON_OPTION,
) -> None:
    """Show what the jobs of a batch said, and what the submissions of its finished runs said.

    Example: `harness batch logs last --part 3`
    """
    from harness.cli.show import print_json
    from harness.schedulers.batch_logs import batch_logs

    batch = _find(name)
    found = batch_logs(batch, part)
    if as_json:
        print_json([{"path": str(path), "lines": _tail(path, lines)} for path in found])
        return
    for path in found:
        typer.echo(f"== {path}")
        for line in _tail(path, lines):
            typer.echo(line)
    if not found:
        typer.echo("no logs yet")


@app.command()
def collect(name: str = NAME, as_json: bool = JSON_OPTION) -> None:
    """Show what came out of a batch, and keep it as `collected.json`; put the shards of a score together.

    Example: `harness batch collect last`
    """
    from harness.schedulers.batch_collect import collect as collect_batch

    print_collected(collect_batch(_find(name)), as_json)


def print_status(found: BatchStatus) -> None:
    """Every part on a line, then how to go on."""
    from harness.cli.show import print_table
    from harness.schedulers.batch_status import LEFT

    rows = [
        [one.part.number, one.part.label, one.state, one.status or "–", _first_line(one.detail)]
        for one in found.parts
    ]
    print_table(f"Batch {found.batch.name}", ["part", "run", "state", "status", "why"], rows)
    typer.echo(", ".join(f"{n} {state}" for state, n in sorted(found.counts.items())))
    if any(one.state in LEFT for one in found.parts):
        typer.echo(f"go on with: harness batch resume {found.batch.name}")


def print_collected(found: Collected, as_json: bool) -> None:
    """Every part with its headline scores."""
    from harness.cli.scores import number
    from harness.cli.show import print_json, print_table
    from harness.schedulers.batch_status import LEFT

    if as_json:
        print_json(found.document)
        return
    parts: list[dict[str, Any]] = found.document["parts"]
    metrics = list(dict.fromkeys(name for part in parts for name in part.get("scores", {})))
    columns = ["part", "run", "status", *(name.partition(".")[2] for name in metrics)]
    rows = [
        [part["part"], part["label"], part["status"] or part["state"]]
        + [number(part.get("scores", {}).get(name)) for name in metrics]
        for part in parts
    ]
    print_table(f"Batch {found.status.batch.name}", columns, rows)
    if "score" in found.document:
        typer.echo(found.document["score"])
    if any(one.state in LEFT for one in found.status.parts) and not found.status.finished:
        typer.echo(f"not everything is finished; harness batch status {found.status.batch.name}")


def print_handed_in(batch: Batch, arrays: Sequence[Array], as_json: bool) -> None:
    """What a cluster was given."""
    from harness.cli.show import print_json

    jobs = [{"job": a.job, "name": a.name, "step": a.step, "elements": len(a.tasks)} for a in arrays]
    if as_json:
        print_json({"batch": batch.name, "path": str(batch.path), "jobs": jobs})
        return
    for array in arrays:
        typer.echo(
            f"job {array.job}: {array.step}, {len(array.tasks)} element{'s' * (len(array.tasks) != 1)}"
        )
    if not arrays:
        typer.echo("nothing to hand in: every part is finished or on its way")
    typer.echo(f"see: harness batch status {batch.name}")
    typer.echo(batch.name)


def print_rehearsal(plan: BatchPlan, as_json: bool) -> None:
    """What a batch would be."""
    from harness.cli.show import print_json, print_table
    from harness.schedulers.batch import unwritten
    from harness.schedulers.slurm.launch import rehearse

    scripts = rehearse(unwritten(plan)) if plan.on == "slurm" else ""
    if as_json:
        print_json({"plan": plan.document(), "scripts": scripts})
        return
    if scripts:
        typer.echo(scripts, nl=False)
        return
    rows = [[part.number, part.label, part.needs.cpus] for part in plan.parts]
    print_table(f"Would run, {plan.jobs} at one time", ["part", "run", "cpus"], rows)


def _settled(batch: Batch) -> BatchStatus:
    from harness.cli.progress import progress_bar
    from harness.schedulers.batch_status import batch_status

    pause, longest = BETWEEN_LOOKS_S
    with progress_bar(batch.name) as report:
        while True:
            found = batch_status(batch)
            report(found.counts.get("finished", 0), len(found.parts))
            if not found.moving:
                return found
            time.sleep(pause)
            pause = min(pause * 1.3, longest)


def _find(name: str) -> Batch:
    from harness.schedulers.batch import find_batch
    from harness.settings import load_settings

    return find_batch(load_settings().runs, name)


def _tail(path: Path, lines: int) -> list[str]:
    return path.read_text(errors="replace").splitlines()[-lines:]


def _first_line(text: str) -> str:
    return text.partition("\n")[0]

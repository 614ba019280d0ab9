"""`harness runs`: what ran, how it ended, and keeping the folder in order."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer

from harness.cli.show import JSON_OPTION

if TYPE_CHECKING:
    from harness.records.record import RunRecord
    from harness.records.run_folder import RunFolder

app = typer.Typer(no_args_is_help=True, rich_markup_mode="markdown", help="Run folders: list, show, prune.")


def complete_run(incomplete: str) -> list[str]:
    """Names of runs."""
    from harness.settings import load_settings

    runs = load_settings().runs
    names = sorted(entry.name for entry in runs.iterdir() if entry.is_dir()) if runs.is_dir() else []
    return [name for name in [*names, "last"] if not name.startswith(".") and name.startswith(incomplete)]


@app.command("list")
def list_runs(as_json: bool = JSON_OPTION) -> None:
    """List the finished runs, oldest first. What is half-made is never among them.

    Example: `harness runs list`
    """
    from harness.cli.show import print_error, print_json, print_table
    from harness.records.run_folder import list_runs as find_runs
    from harness.records.run_folder import unreadable_runs
    from harness.settings import load_settings

    folder = load_settings().runs
    found = find_runs(folder)
    for fault in unreadable_runs(folder):
        print_error(fault)
    if as_json:
        print_json([_entry(run) for run in found])
        return
    rows = [
        [run.path.name, run.record.status, run.record.task.name, run.record.task.eval_split, run.record.seed]
        for run in found
    ]
    print_table(f"Runs in {folder}", ["run", "status", "task", "asked", "seed"], rows)


@app.command()
def show(
    run: str = typer.Argument(help="Name, its beginning, folder, or `last`.", autocompletion=complete_run),
    as_json: bool = JSON_OPTION,
) -> None:
    """Show one run: how it ended, where its numbers come from, its scores. Every file is checked against the record.

    Example: `harness runs show last`
    """
    from harness.cli.show import print_card, print_json
    from harness.cli.standing import print_run_scores
    from harness.cli.submit import isolation_line
    from harness.records.run_folder import find_run, open_run
    from harness.settings import load_settings

    found = open_run(find_run(load_settings().runs, run).path, verify=True)
    record = found.record
    if as_json:
        print_json({"record": record.model_dump(mode="json", by_alias=True), "metrics": found.metrics()})
        return
    print_card(
        record.run,
        {
            "status": f"{record.status}: {record.reason}",
            "submission": f"{record.submission.name} {record.submission.version}",
            "variant": record.submission.variant or "–",
            "task": f"{record.task.name}, {record.task.eval_split}",
            "split": record.split.hash,
            "dataset": record.dataset.hash,
            "seed": record.seed,
            "isolation": f"{isolation_line(record)} (runtime {record.runtime})",
            **_guarantees(record),
            **({"test": record.look.sentence} if record.look else {}),
            "wall time": f"{record.wall_s:.1f} s",
            "peak memory": f"{record.peak_rss_bytes / 2**20:.0f} MiB",
            "command": record.provenance.command,
            "revision": f"{record.provenance.git_revision or '–'}{' (changed)' if record.provenance.git_dirty else ''}",
        },
    )
    print_run_scores("Scores", found)


@app.command()
def prune(
    keep: int = typer.Option(5, min=0, help="Checkpoints of so many newest runs stay."),
    failed: bool = typer.Option(False, "--failed", help="Also remove the runs that were not scored."),
    dry_run: bool = typer.Option(False, "--dry-run", help="Say what would be removed, and remove nothing."),
    as_json: bool = JSON_OPTION,
) -> None:
    """Remove what killed runs left half-made, and the checkpoints of older runs; with --failed also unscored runs.

    Example: `harness runs prune --dry-run`

    Example: `harness runs prune --failed --keep 2`
    """
    from harness.cli.show import print_json, print_table
    from harness.schedulers.prune import prunable, remove
    from harness.settings import load_settings

    found = prunable(load_settings().runs, keep_models=keep, failed=failed)
    if not dry_run:
        for piece in found:
            remove(piece)
    if as_json:
        print_json(
            [{"path": str(p.path), "why": p.why, "bytes": p.n_bytes, "removed": not dry_run} for p in found]
        )
        return
    title = "Would be removed" if dry_run else "Removed"
    print_table(
        title,
        ["what", "why", "MiB"],
        [[p.path, p.why, f"{p.n_bytes / 2**20:.1f}"] for p in found],
        empty="nothing",
    )


def _guarantees(record: RunRecord) -> dict[str, str]:
    """What the run was held to and by what, and what it was not held to and why."""
    held = record.guarantees
    if held is None:
        return {}
    facts = {"held to": "\n".join(f"{name}: {how}" for name, how in held.granted.items())}
    if held.missing:
        facts["not held to"] = "\n".join(f"{name}: {why}" for name, why in held.missing.items())
    return facts


def _entry(run: RunFolder) -> dict[str, Any]:
    metrics = run.metrics()
    scores = {} if metrics is None else {name: metrics[name]["global"] for name in metrics["panels"]}
    record = run.record.model_dump(mode="json", by_alias=True, exclude={"provenance", "files"})
    return {"path": str(run.path), **record, "scores": scores}

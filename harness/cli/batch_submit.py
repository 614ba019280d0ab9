"""Many runs from one `harness submit`: what would run, what is handed in, what came out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from harness.schedulers.batch import Batch
    from harness.schedulers.submit import Plan


class On(StrEnum):
    """Where many runs go."""

    LOCAL = "local"
    SLURM = "slurm"


def check_words(on: On | None, jobs: int | None, slurm: Mapping[str, Any]) -> dict[str, Any]:
    """The options of SLURM that were given; they and those of the pool belong to their own scheduler."""
    given = {key: value for key, value in slurm.items() if value not in (None, [])}
    if given and on is not On.SLURM:
        words = ", ".join(f"--{key.replace('_', '-')}" for key in given)
        raise typer.BadParameter(f"{words} needs --on slurm")
    if jobs is not None and on is On.SLURM:
        raise typer.BadParameter("--jobs is of the local pool; SLURM's own is --array-limit")
    return given


def submit_batch(
    plans: Sequence[Plan],
    on: On,
    *,
    jobs: int | None,
    name: str | None,
    slurm: Mapping[str, Any],
    dry_run: bool,
    as_json: bool,
) -> None:
    """Plan a batch, and hand it in or run it to its end."""
    from harness.schedulers.batch_plan import plan_batch, write_batch
    from harness.settings import load_settings

    settings = load_settings()
    options = _options(settings.slurm, slurm) if on is On.SLURM else {}
    plan = plan_batch(plans, on=on.value, root=settings.root, name=name, jobs=jobs, slurm=options)
    if dry_run:
        from harness.cli.batch import print_rehearsal

        print_rehearsal(plan, as_json)
        return
    go_on(write_batch(plan, plans), as_json, new=True)


def go_on(batch: Batch, as_json: bool, *, new: bool = False) -> None:
    """Bring what is left of a batch to its end: hand it in, or run it here and show what came out."""
    from harness.cli.batch import print_collected, print_handed_in

    if batch.plan.on == "slurm":
        from harness.schedulers.slurm.launch import launch, launch_new

        print_handed_in(batch, launch_new(batch) if new else launch(batch), as_json)
        return
    from harness.cli.progress import live_pool
    from harness.schedulers.batch_collect import collect
    from harness.schedulers.local import run_pool

    try:
        with live_pool(batch.name, len(batch.plan.parts)) as bars:
            run_pool(batch, bars)
    except KeyboardInterrupt:
        typer.echo(f"stopped; go on with: harness batch resume {batch.name}", err=True)
        raise
    found = collect(batch)
    print_collected(found, as_json)
    raise typer.Exit(_exit_code(found.status))


def _exit_code(status: Any) -> int:
    """0, or that of the first run that did not end `ok`; a run that was declined is no fault."""
    from harness.contract.status import RunStatus

    for one in status.parts:
        if one.status is None:
            return RunStatus.ENVIRONMENT.exit_code
        if one.status not in (RunStatus.OK, RunStatus.DECLINED):
            return int(one.status.exit_code)
    return 0


def _options(site: Mapping[str, Any], told: Mapping[str, Any]) -> dict[str, Any]:
    from harness.schedulers.slurm.options import slurm_options

    return slurm_options(site, told).document()

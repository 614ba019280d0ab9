"""`harness submit`: a submission on a task, and one run folder; or many of them, here or on a cluster."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from harness.cli.batch_submit import On, check_words, submit_batch
from harness.cli.names.datasets import complete_dataset
from harness.cli.names.submissions import complete_submission, find_submission
from harness.cli.names.tasks import EvalSplitOption, choose_task, complete_split_name, complete_task
from harness.cli.options import pairs
from harness.cli.show import JSON_OPTION
from harness.errors import HarnessError

if TYPE_CHECKING:
    from harness.contract.manifest import Param
    from harness.records.record import RunRecord
    from harness.records.run_folder import RunFolder
    from harness.schedulers.submit import Plan


SLURM = "With --on slurm"


class Isolation(StrEnum):
    """How much stepping down from full isolation is allowed."""

    AUTO = "auto"
    STRICT = "strict"
    BEST_EFFORT = "best-effort"


def submit(
    submission: list[str] = typer.Argument(
        help="Folder or name of a submission, with @VARIANT for one of its variants. May be several.",
        autocompletion=complete_submission,
    ),
    task: str = typer.Option(
        None,
        help="Task, DATASET:SPLIT or an alias. Default: the project's task.",
        autocompletion=complete_task,
    ),
    data: str = typer.Option(
        None, help="Dataset, by name or folder (with --split).", autocompletion=complete_dataset
    ),
    split: str = typer.Option(
        None, help="Split, by name or hash (with --data).", autocompletion=complete_split_name
    ),
    param: list[str] = typer.Option(
        [], metavar="KEY=VALUE", help="A parameter for this run; may be repeated."
    ),
    eval_split: EvalSplitOption = typer.Option(
        EvalSplitOption.VAL, help="What is asked for; test is opened on purpose."
    ),
    first_look: str = typer.Option(
        None,
        "--first-look",
        metavar="REASON",
        help="Why test is opened without a validation run of this configuration; kept in the ledger.",
    ),
    seed: int = typer.Option(0, min=0, help="Seed that the submission gets."),
    seeds: int = typer.Option(1, min=1, help="Run with so many seeds, counted from --seed."),
    on: On = typer.Option(None, help="Where runs go as a batch: a pool of processes here, or SLURM."),
    jobs: int = typer.Option(None, min=1, help="local: runs at one time; by default as many as fit."),
    name: str = typer.Option(None, help="Name of the batch; by default the time and the submission."),
    partition: str = typer.Option(None, help="slurm: partition of the runs.", rich_help_panel=SLURM),
    gres: str = typer.Option(None, help="slurm: e.g. gpu:1, gpu:l40s:1.", rich_help_panel=SLURM),
    account: str = typer.Option(None, help="slurm: account.", rich_help_panel=SLURM),
    qos: str = typer.Option(None, help="slurm: quality of service.", rich_help_panel=SLURM),
    time: str = typer.Option(None, help="slurm: limit of one array task.", rich_help_panel=SLURM),
    mem: str = typer.Option(None, help="slurm: memory of one array task.", rich_help_panel=SLURM),
    array_limit: int = typer.Option(None, min=1, help="slurm: runs at one time.", rich_help_panel=SLURM),
    pack: int = typer.Option(None, min=1, help="slurm: runs of one array task.", rich_help_panel=SLURM),
    sbatch: list[str] = typer.Option(
        [], help="slurm: any other option, e.g. --sbatch=--reservation=night.", rich_help_panel=SLURM
    ),
    controls: bool = typer.Option(
        True,
        "--controls/--no-controls",
        help="Hold the run against every control; without them it is a quick look, of which nothing can be claimed.",
    ),
    runtime: str = typer.Option(None, help="Runtime, instead of the manifest's."),
    isolation: Isolation = typer.Option(
        Isolation.AUTO, help="strict refuses to run with less than a sandbox; the level is recorded."
    ),
    dry_run: bool = typer.Option(False, "--dry-run", help="Say what would run, and run nothing."),
    discard_predictions: bool = typer.Option(
        False, "--discard-predictions", help="Keep the hash of the predictions, not the file."
    ),
    open_page: bool = typer.Option(
        False, "--open", help="Open the scorecard in the browser at the end (of one run)."
    ),
    yes: bool = typer.Option(False, "--yes", "-y", help="Do not ask before the test split is opened."),
    as_json: bool = JSON_OPTION,
) -> None:
    """Run a submission on a task, score it, leave a run folder.

    The exit code is that of the run's status: 0 ok, 10 declined, 11 invalid, 12 failed, 13 timeout, 14 out of memory,
    15 environment, 16 incomplete, 17 held, 130 interrupted.

    The test split opens for a configuration that has a validation run, or with --first-look; each opening is a line of the
    ledger.

    Several submissions or seeds are a *batch*: a pool of processes here, or with `--on slurm` an array of jobs; then this
    returns at once with the batch's name for `harness batch`. With a batch here the exit code is that of its first run
    that did not end `ok`.

    Example: `harness submit ridge`

    Example: `harness submit submissions/baselines/ridge@alpha_low --task demo:context_ood --seed 1`

    Example: `harness submit ridge global_mean --seeds 3 --on local --jobs 2`

    Example: `harness submit ridge --seeds 3 --on slurm --runtime apptainer --partition gpu --gres gpu:1 --dry-run`
    """
    from harness.contract.manifest import load_manifest
    from harness.schedulers.submit import SubmitRequest, plan_run
    from harness.settings import load_settings

    settings = load_settings()
    slurm = check_words(
        on,
        jobs,
        {
            "partition": partition, "gres": gres, "account": account, "qos": qos, "time": time, "mem": mem,
            "array_limit": array_limit, "pack": pack, "sbatch": sbatch,
        },
    )  # fmt: skip
    chosen = choose_task(task, data, split)
    plans = []
    for reference in submission:
        folder, variant = find_submission(reference)
        passed = parse_params(param, load_manifest(folder).params)
        plans += [
            plan_run(
                SubmitRequest(
                    folder=folder,
                    dataset=chosen.dataset,
                    split=chosen.split,
                    runs=settings.runs,
                    task_cache=settings.task_cache,
                    variant=variant,
                    passed=passed,
                    eval_split=eval_split.value,
                    seed=one_seed,
                    runtime=runtime,
                    isolation=isolation.value,
                    graphs=chosen.graphs,
                    discard_predictions=discard_predictions,
                    ledger=settings.ledger,
                    first_look=first_look,
                    controls=controls,
                    passports=settings.splits / "passports",
                )
            )
            for one_seed in range(seed, seed + seeds)
        ]
    _say_step_down(plans)
    if eval_split is EvalSplitOption.TEST and not dry_run:
        _open_test(chosen.name, yes)
    if on is not None or len(plans) > 1:
        submit_batch(
            plans, on or On.LOCAL, jobs=jobs, name=name, slurm=slurm, dry_run=dry_run, as_json=as_json
        )
        return
    if dry_run:
        _print_plan(plans[0], as_json)
        return
    run = _run(plans[0])
    _print_run(run, as_json)
    page = page_of(run)
    if open_page and page is not None:
        typer.launch(page.absolute().as_uri())
    raise typer.Exit(run.record.status.exit_code)


def parse_params(texts: Sequence[str], defaults: Mapping[str, Param]) -> dict[str, Param]:
    """KEY=VALUE texts as values of the kind of their defaults: text as it stands, anything else as JSON."""
    parsed: dict[str, Param] = {}
    for name, value in pairs(texts, where="--param"):
        if name in parsed:
            raise HarnessError(f"parameter {name!r} is given twice", where="--param", got=f"{name}={value}")
        parsed[name] = value if isinstance(defaults.get(name), str) else _plain_value(value)
    return parsed


def _plain_value(text: str) -> Any:
    try:
        value = json.loads(text)
    except ValueError:
        return {"true": True, "false": False}.get(text.lower(), text)
    return value if isinstance(value, (bool, int, float, str, list)) else text


def _say_step_down(plans: Sequence[Plan]) -> None:
    """One line on standard error where runs are held to less than an official run needs."""
    from harness.runtimes.registry import runtimes, stepping_down

    known = runtimes()
    pairs_of_names = {
        (plan.request.runtime or plan.manifest.run.runtime, plan.config.runtime) for plan in plans
    }
    for asked, taken in sorted(pairs_of_names):
        line = stepping_down(asked, known[taken])
        if line is not None:
            typer.echo(line, err=True)


def _run(plan: Plan) -> RunFolder:
    from harness.cli.progress import live_steps
    from harness.cli.show import print_error
    from harness.contract.status import RunStatus
    from harness.errors import system_refusal
    from harness.schedulers.submit import submit as run_plan

    try:
        with live_steps() as steps:
            return run_plan(plan, steps)
    except OSError as error:
        refusal = system_refusal(error)
        if refusal is None:
            raise
        print_error(refusal)
        raise typer.Exit(RunStatus.ENVIRONMENT.exit_code) from None


def _open_test(task: str, yes: bool) -> None:
    typer.echo(f"opening the test split of {task}: each look at it makes its answer worth less", err=True)
    if not yes and sys.stdin.isatty():
        typer.confirm("open it?", abort=True, err=True)


def _print_plan(plan: Plan, as_json: bool) -> None:
    from harness.cli.show import print_card, print_json
    from harness.runtimes.registry import choose_runtime

    config = plan.config
    isolation = choose_runtime(config.runtime, plan.request.isolation).isolation
    if as_json:
        print_json(
            {
                "config": config.model_dump(mode="json", by_alias=True),
                "declined": plan.declined,
                "isolation": isolation,
            }
        )
        return
    print_card(
        "Would run",
        {
            "submission": f"{config.submission.name} {config.submission.version}",
            "variant": config.submission.variant or "–",
            "task": f"{config.task.name}, {config.task.eval_split}",
            "parameters": ", ".join(f"{k}={v}" for k, v in config.params.resolved.items()) or "none",
            "seed": config.seed,
            "runtime": f"{config.runtime}, isolation {isolation}",
            "declined": "; ".join(plan.declined) or "no",
            "config hash": config.config_hash,
        },
    )


def _print_run(run: RunFolder, as_json: bool) -> None:
    from harness.cli.show import print_json, short_path
    from harness.cli.standing import print_run_scores

    path, page = short_path(run.path), page_of(run)
    if as_json:
        print_json(
            {
                "path": path,
                "scorecard": None if page is None else short_path(page),
                "record": run.record.model_dump(mode="json", by_alias=True),
                "metrics": run.metrics(),
            }
        )
        return
    record = run.record
    print_run_scores(f"{record.submission.name} on {record.task.name}, {record.task.eval_split}", run)
    typer.echo(f"isolation: {isolation_line(record)}")
    if record.look is not None:
        typer.echo(f"test: {record.look.sentence}")
    typer.echo(f"status: {record.status}, {record.reason}")
    if page is not None:
        typer.echo(f"scorecard: {short_path(page)}")
    typer.echo(path)


def page_of(run: RunFolder) -> Path | None:
    """The scorecard of a run, where it has one."""
    from harness.reporting.scorecard.write import PAGE

    page = run.path / PAGE
    return page if page.is_file() else None


def isolation_line(record: RunRecord) -> str:
    """The level that was in force, and what of an official run it lacked."""
    held = record.guarantees
    if held is None or held.official:
        return record.isolation
    return f"{record.isolation}, without {', '.join(held.lacking)}"

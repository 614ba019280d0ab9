"""`harness validate`: a submission against the contract, or a predictions file against a task."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from harness.cli.names.submissions import complete_submission
from harness.cli.names.tasks import EvalSplitOption, complete_task
from harness.cli.show import JSON_OPTION

if TYPE_CHECKING:
    from harness.contract.task import TaskCard


def validate(
    target: str = typer.Argument(
        help="Folder or name of a submission, with @VARIANT for one of its variants; or a predictions file.",
        autocompletion=complete_submission,
    ),
    task: str = typer.Option(
        None,
        help="For predictions: a built task folder, or a task DATASET:SPLIT.",
        autocompletion=complete_task,
    ),
    variant: str = typer.Option(None, help="A variant of the submission."),
    runtime: str = typer.Option(None, help="A runtime instead of the declared one."),
    eval_split: EvalSplitOption = typer.Option(
        EvalSplitOption.VAL, help="For predictions: what they answer."
    ),
    needs_var: bool = typer.Option(
        False, "--needs-var", help="For predictions: refuse them without `var`, as for native uncertainty."
    ),
    as_json: bool = JSON_OPTION,
) -> None:
    """Check a submission, or a predictions file against a task.

    A submission runs on two tiny synthetic tasks (unseen contexts, combinations) in its declared runtime. Exit code 11
    when the contract is broken.

    Example: `harness validate submissions/baselines/ridge`

    Example: `harness validate submissions/in_c --runtime docker`

    Example: `harness validate predictions.npz --task demo:context_ood`
    """
    if task is not None:
        _validate_predictions(Path(target), task, eval_split, needs_var, as_json)
    else:
        _validate_submission(target, variant, runtime, as_json)


def _validate_submission(target: str, variant: str | None, runtime: str | None, as_json: bool) -> None:
    from harness.cli.names.submissions import find_submission
    from harness.cli.show import print_json
    from harness.conformance.suite import check_submission
    from harness.contract.status import RunStatus
    from harness.errors import HarnessError

    if Path(target).is_file():
        raise HarnessError(
            "a predictions file is checked against a task",
            where=target,
            mend=f"harness validate {target} --task DATASET:SPLIT",
        )
    folder, named = find_submission(target)
    report = check_submission(
        folder, variant=variant or named, runtime=runtime, on_check=None if as_json else _print_check
    )
    if as_json:
        print_json(
            {
                "submission": report.submission,
                "variant": report.variant,
                "conforms": report.conforms,
                "checks": [vars(check) for check in report.checks],
            }
        )
    else:
        counts = {v: sum(check.verdict == v for check in report.checks) for v in ("pass", "fail", "skip")}
        typer.echo(f"{counts['pass']} passed, {counts['fail']} failed, {counts['skip']} skipped")
    if not report.conforms:
        raise typer.Exit(RunStatus.INVALID.exit_code)


def _print_check(check: object) -> None:
    from rich.console import Console
    from rich.text import Text

    from harness.conformance.check import Check

    assert isinstance(check, Check)
    style = {"pass": "green", "fail": "bold red", "skip": "yellow"}[check.verdict]
    console = Console(soft_wrap=True)
    console.print(Text.assemble((f"{check.verdict:>5}  ", style), f"{check.name}: {check.reason}"))
    if check.mend is not None:
        console.print(Text.assemble(("       mend  ", "bold"), check.mend))


def _validate_predictions(
    path: Path, task: str, eval_split: EvalSplitOption, needs_var: bool, as_json: bool
) -> None:
    from harness.cli.show import print_error, print_json
    from harness.conformance.predictions import check_predictions
    from harness.contract.faults import PredictionsRefused
    from harness.contract.status import RunStatus

    card = _card(task, eval_split)
    try:
        accepted = check_predictions(path, card, var_required=needs_var)
    except PredictionsRefused as refused:
        if as_json:
            print_json(
                {"valid": False, "task": card.name, "faults": [vars(fault) for fault in refused.faults]}
            )
        else:
            print_error(refused)
        raise typer.Exit(RunStatus.INVALID.exit_code) from None
    if as_json:
        print_json({"valid": True, "task": card.name, "notes": list(accepted.notes)})
        return
    for note in accepted.notes:
        typer.echo(f"note: {note}")
    extras = [name for name in ("var", "epistemic", "supported") if getattr(accepted, name) is not None]
    typer.echo(
        f"accepted for {card.name}: {card.n_query} rows × {len(card.genes)} genes, mean, {', '.join(extras)}"
    )


def _card(task: str, eval_split: EvalSplitOption) -> TaskCard:
    from harness.cli.names.tasks import choose_task
    from harness.conformance.predictions import read_card

    if Path(task).is_dir():
        return read_card(Path(task))
    return choose_task(task, None, None).build(eval_split).card

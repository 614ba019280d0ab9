"""`harness rescore`: a new record of an old run."""

from __future__ import annotations

import typer

from harness.cli.runs import complete_run
from harness.cli.show import JSON_OPTION


def rescore(
    run: str = typer.Argument(help="Name, its beginning, folder, or `last`.", autocompletion=complete_run),
    workers: int = typer.Option(
        None, min=1, help="Processes; by default as many as pay. Any number gives the same bits."
    ),
    as_json: bool = JSON_OPTION,
) -> None:
    """Score a run's stored predictions with today's metrics and leave a new run beside it; the old one stays as it is.

    A run that was held against controls is held against them, and judged, again.

    Example: `harness rescore last`
    """
    from harness.cli.progress import live_steps
    from harness.cli.score import context_of_named_run
    from harness.cli.scores import print_scores
    from harness.cli.show import print_json
    from harness.cli.submit import page_of
    from harness.schedulers.rescore import engine_of_run, enter_look_at, judge_again, write_rescored
    from harness.scoring.evaluate import score
    from harness.settings import load_settings
    from harness.verdicts.task_passports import FOLDER

    settings = load_settings()
    with live_steps() as steps:
        steps.step("open")
        context = context_of_named_run(run)
        steps.step("score")
        look = enter_look_at(context, settings.ledger, "rescore")
        evaluation = score(
            engine_of_run(context), workers, lambda done, of: steps.within("conditions", done, of)
        )
        steps.step("controls")
        kept = settings.splits / FOLDER
        judged = judge_again(context, evaluation, ledger=settings.ledger, passports=kept, tell=steps.within)
        made = write_rescored(context, evaluation, look, judged)
    if as_json:
        print_json({"path": str(made.path), "from": str(context.run.path), "metrics": evaluation.document})
        return
    record = made.record
    print_scores(
        f"{record.submission.name} on {record.task.name}, {record.task.eval_split}", evaluation.document
    )
    typer.echo(f"scored from: {context.run.path.name}")
    typer.echo(f"status: {record.status}, {record.reason}")
    page = page_of(made)
    if page is not None:
        typer.echo(f"scorecard: {page}")
    typer.echo(str(made.path))

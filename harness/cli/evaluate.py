"""`harness eval`: scoring a predictions file without the model that made it."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from harness.cli.names.datasets import complete_dataset
from harness.cli.names.tasks import EvalSplitOption, choose_task, complete_split_name, complete_task
from harness.cli.show import JSON_OPTION

if TYPE_CHECKING:
    from harness.records.ledger_entry import Purpose
    from harness.tasks.folder import Task

app = typer.Typer(
    no_args_is_help=True, rich_markup_mode="markdown", help="Score a predictions file without its model."
)


class Rows(StrEnum):
    """What `idx` counts."""

    QUERY = "query"
    DATASET = "dataset"


class VarKind(StrEnum):
    """What `var` is the variance of."""

    EFFECT = "effect"
    OBSERVED = "observed"
    CELL = "cell"


@app.callback()
def root() -> None:
    """Score a predictions file without its model."""


@app.command()
def predictions(
    preds: Path = typer.Option(..., help="Predictions: an .npz file, or a folder of .npy files."),
    out: Path = typer.Option(..., help="New folder for the scores and their scorecard."),
    data: str = typer.Option(None, help="Dataset, by name or folder.", autocompletion=complete_dataset),
    split: str = typer.Option(None, help="Split, by name or hash.", autocompletion=complete_split_name),
    task: str = typer.Option(
        None, help="Task DATASET:SPLIT, instead of --data and --split.", autocompletion=complete_task
    ),
    eval_split: EvalSplitOption = typer.Option(EvalSplitOption.VAL, help="What the predictions answer."),
    rows: Rows = typer.Option(
        Rows.QUERY, help="What idx counts: rows of the task's query, or (older files) rows of the dataset."
    ),
    var_kind: VarKind = typer.Option(VarKind.EFFECT, help="What var is the variance of."),
    as_json: bool = JSON_OPTION,
) -> None:
    """Score a predictions file.

    Files whose `idx` are dataset rows are scored with `--rows dataset` and marked *not blinded, not ranked*.

    Example: `harness eval predictions --data demo --split context_ood --preds predictions.npz --out scores`
    """
    from harness.cli.progress import live_steps
    from harness.cli.scores import print_scores
    from harness.cli.show import print_json
    from harness.contract.predictions import open_predictions
    from harness.reporting.scorecard.of_file import write_file_scorecard
    from harness.scoring.evaluate import evaluate, expected_rows, write_evaluation
    from harness.storage import new_folder
    from harness.tasks.truth import load_truth

    chosen = choose_task(task, data, split, needed=True)
    with live_steps() as steps, new_folder(out, kind="evaluation") as folder:
        steps.step("build task")
        built = chosen.build(eval_split, steps.within)
        steps.step("validate predictions")
        enter_file(built, preds, "eval")
        expected = expected_rows(built, load_truth(built), rows.value, var_required=False)
        file = open_predictions(preds, expected)
        steps.step("score")
        evaluation = evaluate(
            chosen.dataset,
            chosen.split,
            built,
            file,
            var_kind=var_kind.value,
            rows=rows.value,
            progress=lambda done, of: steps.within("conditions", done, of),
        )
        write_evaluation(folder, evaluation, out.name)
        known = (preds.name, file.sha256)
        write_file_scorecard(folder, out.name, known, chosen.dataset, chosen.split, built)
    if as_json:
        print_json({"path": str(out), "metrics": evaluation.document})
        return
    print_scores(f"{preds.name} on {chosen.name}, {eval_split.value}", evaluation.document)
    typer.echo(str(out))


def enter_file(task: Task, preds: Path, purpose: Purpose) -> None:
    """Enter in the ledger that a file is about to meet the truth of a test task."""
    from harness.contract.predictions import predictions_hash
    from harness.records.ledger import enter_look
    from harness.settings import load_settings

    if task.card.eval_split == "test":
        digest = predictions_hash(preds) if preds.exists() else None
        enter_look(load_settings().ledger, task, purpose, predictions_sha256=digest)

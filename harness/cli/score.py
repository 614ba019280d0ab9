"""`harness score`: a run or a predictions file, whole or a shard at a time."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from harness.cli.evaluate import Rows, VarKind, enter_file
from harness.cli.names.datasets import complete_dataset
from harness.cli.names.tasks import EvalSplitOption, choose_task, complete_split_name, complete_task
from harness.cli.runs import complete_run
from harness.cli.show import JSON_OPTION
from harness.errors import HarnessError

if TYPE_CHECKING:
    from harness.cli.progress import Steps
    from harness.schedulers.rescore import RunContext
    from harness.scoring.engine import Engine
    from harness.scoring.evaluate import Evaluation

PREDICTIONS_ENDING = ".npz"


class ScoreOn(StrEnum):
    """Where shards go."""

    SLURM = "slurm"


def score(
    what: str = typer.Argument(
        help="A run (name, its beginning, folder, `last`), or a predictions file or folder.",
        autocompletion=complete_run,
    ),
    task: str = typer.Option(
        None, help="Task DATASET:SPLIT of a predictions file.", autocompletion=complete_task
    ),
    data: str = typer.Option(None, help="Dataset, by name or folder.", autocompletion=complete_dataset),
    split: str = typer.Option(None, help="Split, by name or hash.", autocompletion=complete_split_name),
    eval_split: EvalSplitOption = typer.Option(EvalSplitOption.VAL, help="What a predictions file answers."),
    rows: Rows = typer.Option(Rows.QUERY, help="What idx of a predictions file counts."),
    var_kind: VarKind = typer.Option(
        VarKind.EFFECT, help="What var of a predictions file is the variance of."
    ),
    workers: int = typer.Option(
        None, min=1, help="Processes; by default as many as pay. Any number gives the same bits."
    ),
    shards: int = typer.Option(None, min=1, help="Score in this many shards, which may run anywhere."),
    shard: int = typer.Option(None, min=1, help="Score this shard alone (from 1) and leave it under --out."),
    reduce: Path = typer.Option(None, help="Put together the shards in this folder."),
    out: Path = typer.Option(
        None,
        help="New folder for metrics.json, calibration.json, metrics.parquet; with --shard, where shards are left.",
    ),
    panel: list[str] = typer.Option(
        [], help="Show this panel whole, instead of the headline. May be repeated."
    ),
    on: ScoreOn = typer.Option(
        None, help="Score the shards as jobs of SLURM (with --shards and --out); returns at once."
    ),
    name: str = typer.Option(None, help="Name of the batch, with --on."),
    as_json: bool = JSON_OPTION,
) -> None:
    """Score a run's stored predictions or a predictions file, and change neither.

    A shard is one part of the conditions. Shards may be scored in any order, by any number of processes and machines;
    put together they give the same bytes as one process.

    Example: `harness score last --panel calibrated`

    Example: `harness score preds.npz --task demo:context_ood --shards 5 --shard 2 --out parts`

    Example: `harness score preds.npz --task demo:context_ood --reduce parts --out scores`

    Example: `harness score last --shards 20 --on slurm --out scores`
    """
    from harness.cli.progress import live_steps
    from harness.cli.scores import check_panels, print_scores
    from harness.cli.show import print_json
    from harness.scoring.evaluate import write_evaluation
    from harness.storage import new_folder

    check_panels(panel)
    _check_words(shards, shard, reduce, out)
    if on is not None and (shards is None or out is None or shard is not None):
        raise typer.BadParameter("--on needs --shards N and --out DIR, where the scores are put together")
    with live_steps() as steps:
        steps.step("open")
        engine = _engine(what, (task, data, split), eval_split, rows, var_kind)
        if on is not None:
            _hand_in(engine, shards or 1, out, name, as_json)
            return
        steps.step("score")
        if shard is not None:
            _score_one(engine, shard, shards, out, steps)
            return
        evaluation = _evaluate(engine, workers, shards, reduce, steps)
        if out is not None:
            with new_folder(out, kind="evaluation") as folder:
                write_evaluation(folder, evaluation, out.name)
    if as_json:
        print_json({"path": None if out is None else str(out), "metrics": evaluation.document})
        return
    named = evaluation.document["task"]
    print_scores(f"{what} on {named['name']}, {named['eval_split']}", evaluation.document, panel)
    if out is not None:
        typer.echo(str(out))


def _hand_in(engine: Engine, shards: int, out: Path, name: str | None, as_json: bool) -> None:
    """A batch of one part a shard, whose last job puts them together."""
    from harness.cli.batch_submit import go_on
    from harness.schedulers.batch_plan import plan_score, write_batch
    from harness.schedulers.slurm.options import slurm_options
    from harness.settings import load_settings
    from harness.storage import refuse_existing

    refuse_existing(out.absolute(), kind="evaluation")
    settings = load_settings()
    options = slurm_options(settings.slurm, {}).document()
    plan = plan_score(
        engine, shards, runs=settings.runs, root=settings.root, out=out, slurm=options, name=name
    )
    go_on(write_batch(plan), as_json, new=True)


def _check_words(shards: int | None, shard: int | None, reduce: Path | None, out: Path | None) -> None:
    if shard is not None and (shards is None or out is None):
        raise typer.BadParameter("one shard needs --shards N (of how many) and --out DIR (where it is left)")
    if shard is not None and shards is not None and shard > shards:
        raise typer.BadParameter(f"there is no shard {shard} of {shards}; they count from 1")
    if reduce is not None and (shard is not None or shards is not None):
        raise typer.BadParameter(
            "--reduce takes shards that are scored already: leave out --shards and --shard"
        )


def _engine(
    what: str,
    named: tuple[str | None, str | None, str | None],
    eval_split: EvalSplitOption,
    rows: Rows,
    var_kind: VarKind,
) -> Engine:
    from harness.contract.predictions import open_predictions
    from harness.scoring.answers import expected_rows
    from harness.scoring.engine import Engine, ScoreInputs
    from harness.settings import load_settings
    from harness.tasks.build import build_task
    from harness.tasks.truth import load_truth

    if not any(named) and not _is_predictions(Path(what)):
        return engine_of_named_run(what)
    chosen = choose_task(*named, needed=True)
    cache = load_settings().task_cache
    built = build_task(chosen.dataset, chosen.split, eval_split.value, cache=cache, graphs=chosen.graphs)
    enter_file(built, Path(what), "score")
    expected = expected_rows(built, load_truth(built), rows.value, var_required=False)
    file = open_predictions(Path(what), expected)
    return Engine(ScoreInputs(chosen.dataset, chosen.split, built, file, var_kind.value, rows.value))


def engine_of_named_run(reference: str) -> Engine:
    """The scorer of a run's stored predictions."""
    from harness.schedulers.rescore import engine_of_run, enter_look_at
    from harness.settings import load_settings

    context = context_of_named_run(reference)
    enter_look_at(context, load_settings().ledger, "score")
    return engine_of_run(context)


def context_of_named_run(reference: str) -> RunContext:
    """A run with the dataset, split and task that it was made from; every file of it is checked."""
    from harness.records.run_folder import find_run, open_run
    from harness.schedulers.rescore import find_context
    from harness.settings import load_settings

    settings = load_settings()
    run = open_run(find_run(settings.runs, reference).path, verify=True)
    chosen = choose_task(None, run.record.dataset.name, run.record.split.hash)
    return find_context(run, chosen.dataset, chosen.split, chosen.graphs, settings.task_cache)


def _is_predictions(path: Path) -> bool:
    """Whether a path is a predictions file or folder, not a run."""
    return path.suffix == PREDICTIONS_ENDING or (path / "mean.npy").is_file()


def _score_one(engine: Engine, shard: int, of: int, out: Path, steps: Steps) -> None:
    folder = out / f"shard-{shard}-of-{of}"
    engine.score_shard(shard, of, folder, lambda done, all_of: steps.within("conditions", done, all_of))
    typer.echo(str(folder))


def _evaluate(
    engine: Engine, workers: int | None, shards: int | None, reduce: Path | None, steps: Steps
) -> Evaluation:
    from harness.scoring.evaluate import put_together, score, score_in_shards

    def tell(done: int, of: int) -> None:
        steps.within("conditions", done, of)

    if reduce is not None:
        folders = sorted(reduce.glob("shard-*-of-*"))
        if not folders:
            raise HarnessError(
                "there are no shards here",
                where=reduce,
                expected="folders shard-K-of-N",
                mend="score them: harness score … --shards N --shard K --out DIR",
            )
        return put_together(engine, folders)
    return score(engine, workers, tell) if shards is None else score_in_shards(engine, shards, tell)

"""`harness splits passport`: which metrics may vote on a split."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from harness.cli.names.tasks import EvalSplitOption
from harness.cli.show import JSON_OPTION
from harness.cli.splits.options import MAYBE_DATA, SPLIT

if TYPE_CHECKING:
    from harness.cli.names.tasks import ChosenTask
    from harness.verdicts.task_passports import TaskPassports


def passport(
    split: str = SPLIT,
    data: str | None = MAYBE_DATA,
    eval_split: EvalSplitOption = typer.Option(
        EvalSplitOption.VAL,
        help="Which role is evaluated; test is opened by the harness itself, for no submission.",
    ),
    every: bool = typer.Option(False, "--all", help="Show metrics that may not rank too, with the reason."),
    dry_run: bool = typer.Option(False, "--dry-run", help="Say whether passports are kept; make none."),
    as_json: bool = JSON_OPTION,
) -> None:
    """Let the controls of a task judge every metric: does it tell a replicate from the mean, and from no effect?

    A metric without a passport is uninformative here: it ranks nobody and carries no claim. What is found is kept beside
    the splits under the hash of split, gene set and code.

    Example: `harness splits passport demo:context_ood`

    Example: `harness splits passport demo:context_ood --all --json`
    """
    from harness.cli.names.splits import dataset_of, split_store
    from harness.cli.names.tasks import ChosenTask
    from harness.cli.show import print_json
    from harness.datasets.graphs import graphs_beside
    from harness.errors import HarnessError
    from harness.settings import load_settings
    from harness.verdicts.task_passports import FOLDER, kept_passports, passports_path

    frozen = split_store().load(split)
    dataset = dataset_of(frozen, data)
    if dataset is None:
        raise HarnessError(
            "passports need the dataset of the split",
            where=f"{frozen.dataset.name}:{frozen.name}",
            got="it is not in the data folder",
            mend="import it, or name its folder with --data",
        )
    folder = load_settings().splits / FOLDER
    found = kept_passports(folder, dataset, frozen, eval_split.value)
    if dry_run:
        where = passports_path(folder, dataset, frozen, eval_split.value)
        typer.echo(f"{'kept in' if found else 'would be made and kept in'} {where}")
        return
    if found is None:
        graphs = tuple(graphs_beside(dataset.path, frozen.frozen_hash))
        found = _make(ChosenTask(dataset, frozen, graphs), eval_split)
    if as_json:
        print_json(found.document())
    else:
        print_passports(found, every)


def print_passports(found: TaskPassports, every: bool) -> None:
    """The metrics that may rank by their card, or all, each with its verdict."""
    from harness.cli.show import print_table
    from harness.metrics.card import cards

    known = cards()
    shown = [one for name, one in found.passports.items() if every or known[name].may_rank]
    rows = [(one.metric, one.shown, one.n, one.reason) for one in shown]
    print_table(
        f"Metric passports of {found.task}, {found.eval_split}", ["metric", "", "conditions", "reason"], rows
    )


def _make(chosen: ChosenTask, eval_split: EvalSplitOption) -> TaskPassports:
    from harness.cli.progress import live_steps
    from harness.schedulers.judging import task_passports
    from harness.settings import load_settings
    from harness.verdicts.task_passports import FOLDER

    settings = load_settings()
    with live_steps() as steps:
        steps.step("build task")
        task = chosen.build(eval_split, steps.within)
        steps.step("judge metrics")
        folder = settings.splits / FOLDER
        return task_passports(folder, chosen.dataset, chosen.split, task, settings.ledger, steps.within)

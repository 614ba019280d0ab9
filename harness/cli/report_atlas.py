"""`harness report atlas`: how wrong each method of a task has been, by how new the question was."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from harness.cli.names.tasks import EvalSplitOption, choose_task, complete_task
from harness.cli.show import JSON_OPTION

if TYPE_CHECKING:
    from harness.reporting.atlas.sheet import Atlas


def atlas(
    task: str = typer.Argument(help="Task DATASET:SPLIT, or an alias.", autocompletion=complete_task),
    eval_split: EvalSplitOption = typer.Option(EvalSplitOption.VAL, help="Runs that answered this."),
    metric: str = typer.Option(
        "calibrated.wmse", help="What is called wrong: a metric of single conditions."
    ),
    about: str | None = typer.Option(
        None,
        help="A perturbation that you have in mind: a name of the dataset, or genes joined by `+`. The page says how new it"
        " is, and how wrong each method has been that far out.",
    ),
    context: str | None = typer.Option(
        None, help="The context of --about; by default the first that was tested."
    ),
    out: Path | None = typer.Option(
        None, help="Folder, or .html file, of the page; by default the folder reports/atlas."
    ),
    as_json: bool = JSON_OPTION,
) -> None:
    """Write the skill atlas of a task: a page, and atlas.json beside it. Every sound run of the task is in it.

    Example: `harness report atlas demo:context_ood`

    Example: `harness report atlas demo:context_ood --about GENE012+GENE069 --out reports/mine.html`
    """
    from harness.cli.compare import chosen_metrics
    from harness.cli.show import print_json
    from harness.errors import HarnessError
    from harness.records.run_folder import list_runs
    from harness.reporting.atlas.answer import with_answer
    from harness.reporting.atlas.gather import make_atlas, runs_of_task
    from harness.reporting.atlas.page import write_atlas
    from harness.settings import load_settings

    chosen = choose_task(task, None, None)
    (named,) = chosen_metrics([metric])[:1]
    found = make_atlas(runs_of_task(list_runs(load_settings().runs), chosen.name, eval_split.value), named)
    if about is not None:
        found = with_answer(found, chosen.dataset, chosen.split, about, context)
    elif context is not None:
        raise HarnessError(
            "--context says where --about is asked", got="--context alone", mend="name --about too"
        )
    path, _ = write_atlas(out or Path("reports/atlas"), found)
    if as_json:
        print_json(found.document())
        return
    _say(found)
    typer.echo(f"{path}")


def _say(atlas: Atlas) -> None:
    from harness.cli.scores import number
    from harness.cli.show import print_table

    sense = "↑" if atlas.higher_is_better else "↓"
    for table in atlas.tables[:1]:
        rows = [[name, *(number(cell.mean) for cell in cells)] for name, cells in table.rows]
        print_table(f"{atlas.metric} {sense} {table.title.lower()}", ["method", *table.classes], rows)
    if atlas.answer is not None:
        one = atlas.answer
        typer.echo(
            f"{one.perturbation} in {one.context}: {one.seen}, "
            f"farther from training than {one.more_novel_than:.0%} of the tested conditions"
        )
        for each in one.expected:
            typer.echo(f"  {each.name}: {number(each.median)} at about that distance (n {each.n})")
    if atlas.left_out:
        typer.echo(f"left out: {len(atlas.left_out)} runs, see the page")

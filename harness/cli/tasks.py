"""`harness tasks`: what can be asked, what a task gives, building it."""

from __future__ import annotations

from collections import Counter
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from harness.cli.names.datasets import complete_dataset
from harness.cli.names.tasks import (
    ChosenTask,
    EvalSplitOption,
    choose_task,
    complete_split_name,
    complete_task,
)
from harness.cli.show import JSON_OPTION, print_card, print_json, print_table

if TYPE_CHECKING:
    from harness.contract.task import EvalSplit
    from harness.tasks.build import Task

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="markdown",
    help="Tasks: a dataset, a split, and what is asked of a submission.",
)

NAME = typer.Argument(help="DATASET:SPLIT, or an alias.", autocompletion=complete_task)
EVAL_SPLIT = typer.Option(EvalSplitOption.VAL, help="What is asked for.")
SEED = typer.Option(0, min=0, help="Seed of the query rows and their order.")


class InputFormat(StrEnum):
    """The form of a task's tables."""

    FOLDER = "folder"
    H5AD = "h5ad"


@app.command("list")
def list_tasks(as_json: bool = JSON_OPTION) -> None:
    """List the tasks: each split of the store, its aliases, whether its dataset is here and which of its tasks are built.

    Example: `harness tasks list`
    """
    from harness.settings import load_settings
    from harness.splits.store import SplitStore

    settings = load_settings()
    built = _built(settings.task_cache)
    rows: list[dict[str, Any]] = [
        {
            "task": f"{entry.dataset}:{entry.name}",
            "aliases": list(entry.aliases),
            "regime": entry.regime,
            "dataset_here": (settings.dataset_path(entry.dataset) / "meta.json").is_file(),
            "built": sorted(built.get(entry.hash, [])),
        }
        for entry in SplitStore(settings.splits).list()
    ]
    if as_json:
        print_json(rows)
        return
    print_table(
        "tasks",
        ["task", "aliases", "regime", "dataset", "built"],
        [
            (
                r["task"],
                ", ".join(r["aliases"]),
                r["regime"],
                "here" if r["dataset_here"] else "not here",
                ", ".join(r["built"]) or "no",
            )
            for r in rows
        ],
        empty="none yet; harness splits create makes a split",
    )


@app.command()
def describe(name: str = NAME, eval_split: EvalSplitOption = EVAL_SPLIT, as_json: bool = JSON_OPTION) -> None:
    """Describe a task as a submission sees it: what is labelled, what is asked. It is built if need be; truth stays sealed.

    Example: `harness tasks describe demo:context_ood`
    """
    task = choose_task(name, None, None).build(eval_split)
    facts = task.card.model_dump(mode="json", by_alias=True, exclude={"genes", "files"})
    facts |= {"n_genes": len(task.card.genes), "n_files": len(task.card.files), "folder": str(task.public)}
    _print(task.card.name, facts if as_json else _in_words(task), as_json)


@app.command()
def build(
    name: str | None = typer.Argument(None, help="DATASET:SPLIT, or an alias.", autocompletion=complete_task),
    data: str | None = typer.Option(
        None, help="Dataset, by name or folder, instead of NAME.", autocompletion=complete_dataset
    ),
    split: str | None = typer.Option(
        None, help="Split, by name or hash (with --data).", autocompletion=complete_split_name
    ),
    eval_split: EvalSplitOption = EVAL_SPLIT,
    max_rows: int = typer.Option(64, min=1, help="At most so many query rows per condition."),
    input_format: InputFormat = typer.Option(InputFormat.FOLDER, help="Plain arrays, or AnnData files."),
    seed: int = SEED,
    dry_run: bool = typer.Option(False, "--dry-run", help="Say how large it would be, and build nothing."),
    as_json: bool = JSON_OPTION,
) -> None:
    """Build a task folder, or find it built and verify it.

    Example: `harness tasks build demo:context_ood`

    Example: `harness tasks build --data data/mine --split context_ood --dry-run`
    """
    from harness.cli.progress import live_steps
    from harness.settings import load_settings
    from harness.tasks.build import build_task

    chosen = choose_task(name, data, split, needed=True)
    if dry_run:
        _print("would be built", _sizes(chosen, eval_split.value, seed, max_rows), as_json)
        return
    with live_steps() as steps:
        steps.step("build task")
        task = build_task(
            chosen.dataset,
            chosen.split,
            eval_split.value,
            cache=load_settings().task_cache,
            seed=seed,
            max_rows=max_rows,
            input_format=input_format.value,
            graphs=chosen.graphs,
            progress=steps.within,
        )
    facts = {
        "task": task.card.name,
        "hash": task.hash,
        "folder": str(task.public),
        "train rows": task.card.n_train,
        "query rows": task.card.n_query,
        "rows per condition": task.card.rows_per_condition,
    }
    _print("built", facts, as_json)


def _in_words(task: Task) -> dict[str, object]:
    """The card of a task as a person reads it."""
    card = task.card
    return {
        "dataset": f"{card.dataset.name}, {card.dataset.hash}",
        "split": f"{card.split.name}, {card.split.hash}",
        "asked for": card.eval_split,
        "rows are": f"{card.unit}s, {card.x_kind}",
        "genes": len(card.genes),
        "may learn from": f"{card.n_train} rows{', with counts' if card.has_counts else ''}",
        "must predict": f"{card.n_query} rows, {card.rows_per_condition} for each condition"
        f" (limited by {card.rows_limited_by})",
        "control label": card.control_label,
        "covariates": ", ".join(card.covariates) or "none",
        "embeddings": ", ".join(card.embeddings) or "none",
        "graphs": "; ".join(
            f"{name} ({graph.provenance}, {graph.n_edges} edges)" for name, graph in card.graphs.items()
        )
        or "none",
        "perturbed genes": f"{card.perturbed_genes_known:.0%} of the perturbations target measured genes",
        "shared controls": ", ".join(card.shared_controls) or "none",
        "input format": card.input_format,
        "folder": str(task.public),
    }


def _print(title: str, facts: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print_json(facts)
    else:
        print_card(title, facts)


def _sizes(chosen: ChosenTask, eval_split: EvalSplit, seed: int, max_rows: int) -> dict[str, Any]:
    from harness.tasks.plan import plan_task
    from harness.tasks.tables import arrays_of

    plan = plan_task(chosen.dataset, chosen.split, eval_split, seed=seed, max_rows=max_rows)
    row = sum(array.shape[1] * array.dtype.itemsize for array in arrays_of(chosen.dataset).values())
    return {
        "train rows": len(plan.train_rows),
        "query rows": len(plan.queries.row),
        "rows per condition": plan.rows_per_condition,
        "bytes": row * (len(plan.train_rows) + len(plan.queries.row)),
    }


def _built(cache: Path) -> dict[str, Counter[str]]:
    """Split hash → evaluation splits of its built tasks, read from their cards without verifying."""
    from harness.contract.task import TASK_FILE
    from harness.storage import read_json

    found: dict[str, Counter[str]] = {}
    for path in cache.glob(f"*/task/{TASK_FILE}"):
        card = read_json(path, "task card")
        found.setdefault(card["split"]["hash"], Counter())[card["eval_split"]] += 1
    return found

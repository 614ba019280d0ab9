"""`harness tasks`: what can be asked, what a task gives, building it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from harness.cli.show import JSON_OPTION, print_card, print_json, print_table

if TYPE_CHECKING:
    from harness.datasets.dataset import PerturbDataset
    from harness.splits.split import Split

app = typer.Typer(no_args_is_help=True, help="Tasks: a dataset, a split, and what is asked of a submission.")


def complete_task(incomplete: str) -> list[str]:
    """Names of tasks, from the index of the split store alone."""
    from harness.settings import load_settings
    from harness.tasks.names import known_tasks

    return [name for name in known_tasks(load_settings()) if name.startswith(incomplete)]


NAME = typer.Argument(help="DATASET:SPLIT, or an alias.", autocompletion=complete_task)
EVAL_SPLIT = typer.Option("val", "--eval-split", help="val or test.", metavar="val|test")


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
def describe(name: str = NAME, eval_split: str = EVAL_SPLIT, as_json: bool = JSON_OPTION) -> None:
    """Describe a task as a submission sees it: what is labelled, what is asked. It is built if need be; truth stays sealed.

    Example: `harness tasks describe demo:context_ood`
    """
    from harness.settings import load_settings
    from harness.tasks.build import build_task
    from harness.tasks.graphs import graphs_beside

    dataset, split = _open(name, None, None)
    task = build_task(
        dataset,
        split,
        _eval_split(eval_split),
        cache=load_settings().task_cache,
        graphs=graphs_beside(dataset.path, split.frozen_hash),
    )
    facts = task.card.model_dump(mode="json", by_alias=True, exclude={"genes", "files"})
    facts |= {"n_genes": len(task.card.genes), "n_files": len(task.card.files), "folder": str(task.public)}
    if as_json:
        print_json(facts)
    else:
        print_card(task.card.name, facts)


@app.command()
def build(
    name: str | None = typer.Argument(None, help="DATASET:SPLIT, or an alias.", autocompletion=complete_task),
    data: str | None = typer.Option(None, "--data", help="Dataset folder or name, instead of NAME."),
    split_reference: str | None = typer.Option(None, "--split", help="Split hash or name, with --data."),
    eval_split: str = EVAL_SPLIT,
    max_rows: int = typer.Option(64, min=1, help="At most so many query rows per condition."),
    input_format: str = typer.Option(
        "folder", "--input-format", help="folder or h5ad.", metavar="folder|h5ad"
    ),
    seed: int = typer.Option(0, help="Seed of the query rows and their order."),
    dry_run: bool = typer.Option(False, "--dry-run", help="Say how large it would be, and build nothing."),
    as_json: bool = JSON_OPTION,
) -> None:
    """Build a task folder, or find it built and verify it.

    Example: `harness tasks build demo:context_ood`

    Example: `harness tasks build --data data/mine --split context_ood --eval-split val --dry-run`
    """
    from harness.settings import load_settings
    from harness.tasks.build import build_task
    from harness.tasks.graphs import graphs_beside

    _one_of("--input-format", input_format, ("folder", "h5ad"))
    which = _eval_split(eval_split)
    dataset, split = _open(name, data, split_reference)
    if dry_run:
        _print("would be built", _sizes(dataset, split, which, seed, max_rows), as_json)
        return
    with _progress() as progress:
        task = build_task(
            dataset,
            split,
            which,
            cache=load_settings().task_cache,
            seed=seed,
            max_rows=max_rows,
            input_format=input_format,  # type: ignore[arg-type]  # checked above
            graphs=graphs_beside(dataset.path, split.frozen_hash),
            progress=progress,
        )
    facts = {
        "task": task.card.name,
        "hash": task.hash,
        "folder": str(task.public),
        "train rows": task.card.n_train,
        "query rows": task.card.n_query,
    }
    _print("built", facts, as_json)


def _print(title: str, facts: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print_json(facts)
    else:
        print_card(title, facts)


def _open(name: str | None, data: str | None, reference: str | None) -> tuple[PerturbDataset, Split]:
    """The dataset and split of a task name, or of `--data` and `--split`."""
    from harness.datasets.dataset import open_dataset
    from harness.settings import load_settings
    from harness.splits.store import SplitStore
    from harness.tasks.names import resolve_task_name

    settings = load_settings()
    if name is not None and data is None and reference is None:
        path, reference = resolve_task_name(name, settings, say=lambda line: typer.echo(line, err=True))
    elif name is None and data is not None and reference is not None:
        path = settings.dataset_path(data)
    else:
        raise typer.BadParameter("give either NAME, or --data and --split")
    dataset = open_dataset(path)
    return dataset, SplitStore(settings.splits).load(reference, dataset=dataset)


def _sizes(
    dataset: PerturbDataset, split: Split, eval_split: Any, seed: int, max_rows: int
) -> dict[str, Any]:
    from harness.tasks.plan import plan_task
    from harness.tasks.tables import arrays_of

    plan = plan_task(dataset, split, eval_split, seed=seed, max_rows=max_rows, max_bytes=None)
    row = sum(array.shape[1] * array.dtype.itemsize for array in arrays_of(dataset).values())
    return {
        "train rows": len(plan.train_rows),
        "query rows": len(plan.queries.row),
        "rows per condition": plan.rows_per_condition,
        "bytes": row * (len(plan.train_rows) + len(plan.queries.row)),
    }


def _eval_split(value: str) -> Any:
    _one_of("--eval-split", value, ("val", "test"))
    return value


def _one_of(option: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise typer.BadParameter(f"{option} is {value!r}; one of {', '.join(known)}")


def _built(cache: Path) -> dict[str, Counter[str]]:
    """Split hash → evaluation splits of its built tasks, read from their cards without verifying."""
    from harness.contract.task import TASK_FILE
    from harness.storage import read_json

    found: dict[str, Counter[str]] = {}
    for path in cache.glob(f"*/task/{TASK_FILE}"):
        card = read_json(path, "task card")
        found.setdefault(card["split"]["hash"], Counter())[card["eval_split"]] += 1
    return found


@contextmanager
def _progress() -> Iterator[Callable[[str, int, int], None] | None]:
    """A bar per array on standard error, only where somebody looks."""
    from rich.console import Console
    from rich.progress import Progress, TaskID

    console = Console(stderr=True)
    if not console.is_terminal:
        yield None
        return
    with Progress(console=console, transient=True) as bars:
        known: dict[str, TaskID] = {}

        def tell(what: str, done: int, of: int) -> None:
            if what not in known:
                known[what] = bars.add_task(what, total=of)
            bars.update(known[what], completed=done)

        yield tell

"""`harness splits regimes | list | show | verify | diff`: looking at splits without changing them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer

from harness.cli.show import JSON_OPTION
from harness.cli.splits_names import complete_dataset, complete_regime, complete_split

if TYPE_CHECKING:
    from harness.datasets.dataset import PerturbDataset
    from harness.splits.split import Split

SPLIT = typer.Argument(help="A split: DATASET:SPLIT, name, hash or alias.", autocompletion=complete_split)
MAYBE_DATA = typer.Option(
    None, "--data", help="Its dataset, where it is not in the data folder.", autocompletion=complete_dataset
)


def regimes(
    regime: str | None = typer.Argument(
        None, help="One regime, with its parameters.", autocompletion=complete_regime
    ),
    as_json: bool = JSON_OPTION,
) -> None:
    """List the regimes of `splits create`, or the parameters of one.

    Example: `harness splits regimes`

    Example: `harness splits regimes context_ood`
    """
    from harness.cli.show import print_json, print_table
    from harness.splits.regimes import find_regime
    from harness.splits.regimes import regimes as known

    specs = [find_regime(regime)] if regime else list(known().values())
    facts = [
        {
            "name": spec.name,
            "summary": spec.summary,
            "parameters": {key: p.default for key, p in spec.parameters.items()},
        }
        for spec in specs
    ]
    if as_json:
        print_json(facts[0] if regime else facts)
    elif regime:
        typer.echo(specs[0].summary)
        rows = [(key, "" if p.default is None else p.default) for key, p in specs[0].parameters.items()]
        print_table(f"Parameters of {regime}", ["parameter", "unless told"], rows)
    else:
        print_table("Regimes", ["regime", "what it does"], [(spec.name, spec.summary) for spec in specs])


def list_splits(as_json: bool = JSON_OPTION) -> None:
    """List the splits of the store; each is checked against its hash.

    Example: `harness splits list`

    Example: `harness splits list --json`
    """
    from harness.cli.show import print_json, print_table
    from harness.cli.splits_names import the_store
    from harness.splits.split import ROLES

    store = the_store()
    entries = store.list()
    if as_json:
        print_json([vars(entry) | {"path": str(entry.path)} for entry in entries])
        return
    print_table(
        f"Splits in {store.root}",
        ["task", "regime", "ood", *ROLES, "hash", "alias"],
        [
            [
                f"{e.dataset}:{e.name}",
                e.regime,
                ", ".join(e.ood_axes),
                *(e.counts[role] for role in ROLES),
                e.hash[:12],
                ", ".join(e.aliases),
            ]
            for e in entries
        ],
        empty="none yet; harness splits create makes one",
    )


def show(split: str = SPLIT, data: str | None = MAYBE_DATA, as_json: bool = JSON_OPTION) -> None:
    """Show a split: roles, what is out of distribution, what was set aside; contexts × roles where its dataset is here.

    Example: `harness splits show demo:context_ood`

    Example: `harness splits show demo:combo --json`
    """
    from harness.cli.show import print_json
    from harness.cli.splits_names import the_store
    from harness.splits.describe import describe_split

    frozen = the_store().load(split)
    facts = describe_split(frozen, _dataset_of(frozen, data))
    if as_json:
        print_json(facts)
    else:
        _print_split(facts)


def verify(
    splits: list[str] = typer.Argument(None, help="Splits to verify.", autocompletion=complete_split),
    every: bool = typer.Option(False, "--all", help="Verify every split of the store."),
    data: str | None = MAYBE_DATA,
    as_json: bool = JSON_OPTION,
) -> None:
    """Recompute hashes, and check the leak rules of the regime on the rows where the dataset is here.

    Exits with 4 when frozen content has changed, with 3 when a split leaks.

    Example: `harness splits verify demo:context_ood`

    Example: `harness splits verify --all`
    """
    from harness.cli.show import print_json, print_table
    from harness.cli.splits_names import the_store
    from harness.errors import HarnessError
    from harness.splits.create import verify_split

    store = the_store()
    references = [entry.hash for entry in store.list()] if every else list(splits or [])
    if not references and not every:
        raise HarnessError("nothing to verify", mend="name a split, or give --all")
    said: list[dict[str, Any]] = []
    for reference in references:
        frozen = store.load(reference)
        dataset = _dataset_of(frozen, data)
        if dataset is not None:
            verify_split(frozen, dataset)
        said.append(
            {
                "task": f"{frozen.dataset.name}:{frozen.name}",
                "hash": frozen.frozen_hash,
                "content": "as frozen",
                "leaks": "none" if dataset is not None else "not checked: the dataset is not here",
            }
        )
    if as_json:
        print_json(said)
    else:
        rows = [[facts["task"], facts["content"], facts["leaks"], facts["hash"][:12]] for facts in said]
        print_table("Verified", ["task", "content", "leaks", "hash"], rows)


def diff(
    first: str = SPLIT,
    second: str = SPLIT,
    as_json: bool = JSON_OPTION,
) -> None:
    """Say where two splits differ: parameters, and rows by the role they move from and to.

    Example: `harness splits diff demo:loco-C0 demo:loco-C1`
    """
    from harness.cli.show import print_json, print_table
    from harness.cli.splits_names import the_store
    from harness.splits.describe import diff_splits

    store = the_store()
    facts = diff_splits(store.load(first), store.load(second))
    if as_json:
        print_json(facts)
        return
    if facts["same"]:
        typer.echo(f"the same split: {facts['hashes'][0]}")
        return
    rows = [[key, *values] for key, values in facts["fields"].items()]
    print_table("Fields", ["field", first, second], rows, empty="no difference")
    if facts["same_dataset"]:
        print_table(
            "Rows", ["from → to", "rows"], list(facts["moves"].items()), empty="each in the same role"
        )
    else:
        typer.echo("the splits are over different datasets: rows cannot be compared")


def _dataset_of(split: Split, data: str | None) -> PerturbDataset | None:
    """The dataset of a split: as told, or from the data folder if it is there; always the content it was frozen over."""
    from harness.cli.splits_names import the_dataset
    from harness.settings import load_settings
    from harness.splits.create import check_dataset

    if data is None and not (load_settings().data / split.dataset.name).is_dir():
        return None
    dataset = the_dataset(data or str(load_settings().data / split.dataset.name))
    check_dataset(split, dataset)
    return dataset


def _print_split(facts: dict[str, Any]) -> None:
    from harness.cli.show import print_card, print_table
    from harness.splits.split import ROLES

    print_card(
        f"{facts['dataset']['name']}:{facts['name']}",
        {
            "regime": facts["regime"],
            "parameters": ", ".join(f"{key} {value}" for key, value in facts["params"].items()),
            "seed": facts["seed"],
            "out of distribution": ", ".join(facts["ood_axes"]) or "nothing",
            "strata (cells)": ", ".join(f"{name}: {n}" for name, n in facts["strata"].items()) or "none",
            "dataset": facts["dataset"]["hash"],
            "hash": facts["hash"],
        },
    )
    counted = [(kind, facts[kind]) for kind in ("conditions", "perturbations") if kind in facts]
    rows: list[list[object]] = [["cells", *(facts["counts"][r] for r in ROLES), facts["set_aside_rows"]]]
    rows += [[kind, *(by_role[r] for r in ROLES), ""] for kind, by_role in counted]
    print_table("By role", ["", *ROLES, "set aside"], rows)
    if "contexts" in facts:
        columns = [*ROLES, "set aside"]
        print_table(
            "Perturbed cells by context",
            ["context", *columns],
            [[context, *(by_role[c] for c in columns)] for context, by_role in facts["contexts"].items()],
        )
    for reason, names in facts["set_aside"].items():
        shown = ", ".join(names[:10]) + (f" and {len(names) - 10} more" if len(names) > 10 else "")
        typer.echo(f"set aside, {reason}: {shown}")
    for note in facts["notes"]:
        typer.echo(f"note: {note}")

"""`harness splits show`: one split, by role and by context."""

from __future__ import annotations

from typing import Any

import typer

from harness.cli.show import JSON_OPTION
from harness.cli.splits.options import MAYBE_DATA, SPLIT


def show(split: str = SPLIT, data: str | None = MAYBE_DATA, as_json: bool = JSON_OPTION) -> None:
    """Show a split: roles, what is out of distribution, what was set aside; contexts × roles where its dataset is here.

    Example: `harness splits show demo:context_ood`

    Example: `harness splits show demo:combo --json`
    """
    from harness.cli.names.splits import dataset_of, split_store
    from harness.cli.show import print_json
    from harness.splits.describe import describe_split

    frozen = split_store().load(split)
    facts = describe_split(frozen, dataset_of(frozen, data))
    if as_json:
        print_json(facts)
    else:
        _print_split(facts)


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

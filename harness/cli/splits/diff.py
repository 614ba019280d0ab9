"""`harness splits diff`: where two splits differ."""

from __future__ import annotations

import typer

from harness.cli.show import JSON_OPTION
from harness.cli.splits.options import SPLIT


def diff(
    first: str = SPLIT,
    second: str = SPLIT,
    as_json: bool = JSON_OPTION,
) -> None:
    """Say where two splits differ: parameters, and rows by the role they move from and to.

    Example: `harness splits diff demo:loco-C0 demo:loco-C1`
    """
    from harness.cli.names.splits import split_store
    from harness.cli.show import print_json, print_table
    from harness.splits.describe import diff_splits

    store = split_store()
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

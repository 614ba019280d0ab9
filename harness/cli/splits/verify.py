"""`harness splits verify`: whether splits are still what was frozen, and leak nothing."""

from __future__ import annotations

from typing import Any

import typer

from harness.cli.names.splits import complete_split
from harness.cli.show import JSON_OPTION
from harness.cli.splits.options import MAYBE_DATA


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
    from harness.cli.names.splits import dataset_of, split_store
    from harness.cli.show import print_json, print_table
    from harness.errors import HarnessError
    from harness.splits.create import verify_split

    store = split_store()
    references = [entry.hash for entry in store.list()] if every else list(splits or [])
    if not references and not every:
        raise HarnessError("nothing to verify", mend="name a split, or give --all")
    said: list[dict[str, Any]] = []
    for reference in references:
        frozen = store.load(reference)
        dataset = dataset_of(frozen, data)
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

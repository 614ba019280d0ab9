"""Freezing the splits that a verb made, and saying what they are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from harness.splits.split import Split


def keep(splits: list[Split], *, alias: str | None = None, dry_run: bool, as_json: bool) -> None:
    """Save splits, unless it is a dry run, and say what they are and whether they are new."""
    from harness.cli.names.splits import split_store
    from harness.cli.show import print_json, print_table
    from harness.splits.split import ROLES

    store = split_store()
    said = []
    for split in splits:
        path = store.path(split.frozen_hash)
        state = "exists" if path.exists() else "not written (dry run)" if dry_run else "new"
        if not dry_run:
            store.save(split, alias)
        said.append(
            {
                "hash": split.frozen_hash,
                "task": f"{split.dataset.name}:{split.name}",
                "state": state,
                "path": str(path),
                "counts": split.counts,
                "set_aside": {reason: len(names) for reason, names in split.set_aside.items()},
                "notes": split.notes,
            }
        )
    if as_json:
        print_json(said[0] if len(said) == 1 else said)
        return
    for split, facts in zip(splits, said, strict=True):
        typer.echo(f"{split.frozen_hash}  {facts['task']}  {facts['state']}")
        typer.echo(f"  {facts['path']}")
    print_table(
        "Cells by role",
        ["task", *ROLES, "set aside"],
        [[s.name, *(s.counts[role] for role in ROLES), s.n_obs - sum(s.counts.values())] for s in splits],
    )
    for note in dict.fromkeys(note for split in splits for note in split.notes):
        typer.echo(f"note: {note}")

"""`harness splits list`: the splits of the store."""

from __future__ import annotations

from harness.cli.show import JSON_OPTION


def list_splits(as_json: bool = JSON_OPTION) -> None:
    """List the splits of the store; each is checked against its hash.

    Example: `harness splits list`

    Example: `harness splits list --json`
    """
    from harness.cli.names.splits import split_store
    from harness.cli.show import print_json, print_table
    from harness.splits.split import ROLES

    store = split_store()
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

"""`index.toml` of a split store: names of splits by dataset, and aliases of tasks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from harness.datasets.obs import FORBIDDEN
from harness.errors import HarnessError
from harness.storage import read_toml, write_text

INDEX_FILE = "index.toml"
ALIASES = "aliases"


@dataclass(frozen=True)
class Index:
    """What the names of a store mean."""

    splits: Mapping[str, Mapping[str, str]]
    """Dataset → name → hash."""
    aliases: Mapping[str, str]
    """Alias → `DATASET:SPLIT`."""

    def with_split(self, dataset: str, name: str, frozen_hash: str) -> Index:
        """The same index with one more name."""
        names = {**self.splits.get(dataset, {}), name: frozen_hash}
        return Index({**self.splits, dataset: names}, self.aliases)

    def with_alias(self, alias: str, task: str) -> Index:
        """The same index with one more alias."""
        return Index(self.splits, {**self.aliases, alias: task})

    def to_toml(self) -> str:
        """The file, in an order that does not depend on who wrote first."""
        tables = [(name, self.splits[name]) for name in sorted(self.splits)]
        if self.aliases:
            tables.insert(0, (ALIASES, self.aliases))
        blocks = [
            "\n".join([f"[{_key(name)}]", *(f'{_key(k)} = "{table[k]}"' for k in sorted(table))])
            for name, table in tables
        ]
        return "\n\n".join(blocks) + "\n"


def read_index(root: Path) -> Index:
    """The index of a store; a missing one is empty, a damaged one is refused."""
    path = root / INDEX_FILE
    if not path.exists():
        return Index({}, {})
    told = read_toml(path, "split index", mend="restore it from version control")
    for name, table in told.items():
        if not isinstance(table, dict) or not all(isinstance(value, str) for value in table.values()):
            raise HarnessError(
                f"split index has something else than a table of names at {name!r}",
                where=path,
                expected='[dataset] with lines name = "hash"',
            )
    aliases = told.pop(ALIASES, {})
    return Index(told, aliases)


def write_index(root: Path, index: Index) -> None:
    """Write the index in one step."""
    write_text(root / INDEX_FILE, index.to_toml())


def refuse_name(kind: str, name: str) -> None:
    """Refuse names that cannot stand in `DATASET:SPLIT` or in the index."""
    bad = (
        not name
        or name != name.strip()
        or ":" in name
        or FORBIDDEN.intersection(name)
        or not name.isprintable()
    )
    if bad or (kind == "dataset" and name == ALIASES):
        raise HarnessError(
            f"{kind} cannot have this name",
            got=repr(name),
            expected="printable text without ':' and without blanks at its ends"
            + (f", other than {ALIASES!r}" if kind == "dataset" else ""),
        )


def _key(name: str) -> str:
    plain = name and all(c.isascii() and (c.isalnum() or c in "_-") for c in name)
    return name if plain else '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'

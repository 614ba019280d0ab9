"""The split store: files named by their own hash, written once, and an index of names."""

from __future__ import annotations

import fcntl
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.datasets.dataset import PerturbDataset
from harness.errors import ChangedError, ExistsError, HarnessError, UnknownNameError
from harness.splits.create import check_dataset
from harness.splits.index import INDEX_FILE, Index, read_index, refuse_name, write_index
from harness.splits.split import Split, read_split, split_hash
from harness.storage import canonical_json, make_folder, sweep_partials, write_text

LOCK_FILE = ".index.lock"
_HASH = re.compile(r"[0-9a-f]{64}")
_PREFIX = re.compile(r"[0-9a-f]{7,64}")


@dataclass(frozen=True)
class SplitEntry:
    """One split of a store, as a listing shows it."""

    dataset: str
    name: str
    hash: str
    regime: str
    ood_axes: tuple[str, ...]
    counts: dict[str, int]
    aliases: tuple[str, ...]
    path: Path


class SplitStore:
    """Frozen splits in one folder. Every reading verifies; writers wait for each other."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def path(self, frozen_hash: str) -> Path:
        """Where a split of this hash is, or would be."""
        return self.root / f"{frozen_hash}.json"

    def save(self, split: Split, alias: str | None = None) -> Path:
        """Keep a split under its hash and its name; the same split again finds the existing file.

        A name that means another split of the dataset is refused.
        """
        refuse_name("dataset", split.dataset.name)
        refuse_name("split", split.name)
        if alias is not None:
            refuse_name("alias", alias)
        path = self.path(split.frozen_hash)
        with self._lock():
            sweep_partials(self.root)
            old = read_index(self.root)
            new = self._named(old, split, alias)
            if path.exists():
                self._read(path)
            else:
                write_text(path, render(split))
            if new != old:
                write_index(self.root, new)
        return path

    def load(
        self, reference: str, dataset_name: str | None = None, *, dataset: PerturbDataset | None = None
    ) -> Split:
        """A split by hash, by a prefix of at least seven digits, by name, by `DATASET:SPLIT` or by alias.

        With `dataset`, its content must be what the split was frozen over.
        """
        dataset_name = dataset_name or (dataset.name if dataset else None)
        split = self._read(self.path(self._resolve(reference, dataset_name)))
        self._check_names(split)
        if dataset is not None:
            check_dataset(split, dataset)
        return split

    def list(self) -> list[SplitEntry]:
        """Every split of the store, verified, by dataset and name."""
        index = read_index(self.root)
        entries = [self._entry(self._read(path), index) for path in self._files()]
        for dataset, names in index.splits.items():
            for name, frozen_hash in names.items():
                self._check_entry(dataset, name, frozen_hash, {entry.hash: entry for entry in entries})
        return sorted(entries, key=lambda entry: (entry.dataset, entry.name, entry.hash))

    def names(self) -> Iterator[str]:
        """`DATASET:SPLIT` names and aliases, from the index alone; for completion."""
        index = read_index(self.root)
        yield from index.aliases
        for dataset, names in index.splits.items():
            yield from (f"{dataset}:{name}" for name in names)

    def _resolve(self, reference: str, dataset_name: str | None) -> str:
        index = read_index(self.root)
        target = index.aliases.get(reference, reference)
        if ":" in target:
            dataset_name, _, target = target.partition(":")
            if dataset_name not in index.splits:
                raise UnknownNameError("dataset", dataset_name, index.splits, where=self.root / INDEX_FILE)
        tables = {
            name: table
            for name, table in index.splits.items()
            if dataset_name is None or name == dataset_name
        }
        named = {name: table[target] for name, table in tables.items() if target in table}
        if len(named) == 1:
            return self._hash_in_index(next(iter(named)), target, next(iter(named.values())))
        if named:
            raise HarnessError(
                f"split name {target!r} is used by {len(named)} datasets",
                where=self.root / INDEX_FILE,
                got=", ".join(f"{name}:{target}" for name in sorted(named)),
                mend="name it as DATASET:SPLIT",
            )
        if _PREFIX.fullmatch(target):
            return self._by_prefix(target)
        raise UnknownNameError(
            "split", target, {name for table in tables.values() for name in table}, where=self.root
        )

    def _by_prefix(self, prefix: str) -> str:
        found = [path.stem for path in self._files() if path.stem.startswith(prefix)]
        if len(found) != 1:
            raise HarnessError(
                f"{'no split has' if not found else f'{len(found)} splits have'} a hash that begins with {prefix!r}",
                where=self.root,
                got=", ".join(h[:16] for h in found[:4]) or None,
                mend="harness splits list shows them" if not found else "give more digits",
            )
        return found[0]

    def _named(self, index: Index, split: Split, alias: str | None) -> Index:
        dataset, name = split.dataset.name, split.name
        taken = index.splits.get(dataset, {}).get(name)
        if taken not in (None, split.frozen_hash):
            raise ExistsError(
                f"split name {name!r} of dataset {dataset!r} is taken",
                where=self.root / INDEX_FILE,
                got=split.frozen_hash,
                expected=taken,
                mend="give the new split another name (--name)",
            )
        index = index.with_split(dataset, name, split.frozen_hash)
        if alias is None:
            return index
        task = f"{dataset}:{name}"
        if index.aliases.get(alias, task) != task:
            raise ExistsError(
                f"alias {alias!r} is taken",
                where=self.root / INDEX_FILE,
                got=task,
                expected=index.aliases[alias],
                mend="choose another alias",
            )
        return index.with_alias(alias, task)

    def _entry(self, split: Split, index: Index) -> SplitEntry:
        task = f"{split.dataset.name}:{split.name}"
        return SplitEntry(
            dataset=split.dataset.name,
            name=split.name,
            hash=split.frozen_hash,
            regime=split.regime,
            ood_axes=tuple(split.ood_axes),
            counts={str(role): n for role, n in split.counts.items()},
            aliases=tuple(sorted(alias for alias, target in index.aliases.items() if target == task)),
            path=self.path(split.frozen_hash),
        )

    def _check_names(self, split: Split) -> None:
        """Whatever the index calls this split must be what the split calls itself."""
        for dataset, names in read_index(self.root).splits.items():
            for name, frozen_hash in names.items():
                if frozen_hash == split.frozen_hash:
                    self._refuse_other_name(dataset, name, split.dataset.name, split.name, frozen_hash)

    def _check_entry(self, dataset: str, name: str, frozen_hash: str, entries: dict[str, SplitEntry]) -> None:
        self._hash_in_index(dataset, name, frozen_hash)
        entry = entries[frozen_hash]
        self._refuse_other_name(dataset, name, entry.dataset, entry.name, frozen_hash)

    def _refuse_other_name(
        self, dataset: str, name: str, own_dataset: str, own_name: str, frozen: str
    ) -> None:
        if (dataset, name) != (own_dataset, own_name):
            raise ChangedError(
                "split index and split file disagree about a name",
                where=f"{self.root / INDEX_FILE}, split {frozen}",
                got=f"{dataset}:{name}",
                expected=f"{own_dataset}:{own_name}",
                mend="restore the index from version control, or create the split again",
            )

    def _hash_in_index(self, dataset: str, name: str, frozen_hash: str) -> str:
        if not _HASH.fullmatch(frozen_hash) or not self.path(frozen_hash).is_file():
            raise ChangedError(
                f"split index names a split that is not in the store: {dataset}:{name}",
                where=self.root / INDEX_FILE,
                got=frozen_hash,
                expected="the hash of a file in this folder",
                mend="restore both from version control, or create the split again",
            )
        return frozen_hash

    def _files(self) -> Iterator[Path]:
        yield from (path for path in sorted(self.root.glob("*.json")) if _HASH.fullmatch(path.stem))

    def _read(self, path: Path) -> Split:
        try:
            content = path.read_bytes()
        except FileNotFoundError:
            raise UnknownNameError(
                "split", path.stem, [p.stem for p in self._files()], where=self.root
            ) from None
        return read_frozen(content, path)

    @contextmanager
    def _lock(self) -> Iterator[None]:
        """One writer at a time; the lock ends with the process that holds it."""
        make_folder(self.root)
        with (self.root / LOCK_FILE).open("w") as handle:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield


def render(split: Split) -> str:
    """The one text of a split: canonical JSON, so that every byte of the file is accounted for."""
    return canonical_json(split.model_dump(mode="json", by_alias=True)) + "\n"


def read_frozen(content: bytes, path: Path) -> Split:
    """A split from the bytes of its file, which must be exactly what its name promises."""
    found, document = _parse(content)
    if found != path.stem:
        raise ChangedError(
            "split file has changed since it was frozen",
            where=path,
            got=found,
            expected=path.stem,
            mend="restore it from version control; a changed split is a new split",
        )
    return read_split(document, where=path)


def _parse(content: bytes) -> tuple[str, Any]:
    """The hash that the bytes deserve, and their document; bytes that are no canonical split deserve none."""
    try:
        document = json.loads(content)
        canonical = (canonical_json(document) + "\n").encode() == content
    except (ValueError, RecursionError):
        return "not JSON", None
    if not canonical or not isinstance(document, dict):
        return "not canonical JSON", None
    found = split_hash(document)
    return (
        (found, document) if document.get("frozen_hash") == found else (f"{found} (own hash differs)", None)
    )

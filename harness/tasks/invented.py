"""Invented perturbations that look like the real ones: other combinations of known parts, genes that nobody perturbed."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import cached_property

import numpy as np

TRIES = 300
END = "\n"
LONGEST = 60


class Inventor:
    """Invents perturbation ids; `genes_of` then knows the target genes of those that it gave out."""

    def __init__(
        self, perturbations: Mapping[str, list[str]], genes: Sequence[str], seen: set[str], asked: set[str]
    ) -> None:
        """`perturbations` are all that the dataset knows; `seen` and `asked` those that cross the wall."""
        self.genes_of: dict[str, list[str]] = {}
        self._known = perturbations
        self._taken = {frozenset(name.split("+")) for name in perturbations}
        self._seen_parts = {part for name in seen for part in name.split("+")}
        self._asked_parts = {part for name in asked for part in name.split("+")} - self._seen_parts
        perturbed = {gene for targets in perturbations.values() for gene in targets}
        self._free_genes = [gene for gene in genes if gene not in perturbed]
        self._names = sorted({part for name in seen | asked for part in name.split("+")})
        self._shapes = {_shape(part) for name in asked for part in name.split("+")}

    def invent(self, pattern: str, rng: np.random.Generator) -> str | None:
        """A new perturbation made like `pattern`, or None where none can be."""
        parts = pattern.split("+")
        made = self._single(pattern, rng) if len(parts) == 1 else self._combination(parts, rng)
        if made is None:
            return None
        name, targets = made
        self._taken.add(frozenset(name.split("+")))
        self.genes_of[name] = targets
        return name

    def _combination(self, parts: list[str], rng: np.random.Generator) -> tuple[str, list[str]] | None:
        """Known parts in a combination that nobody made, as many of them seen in training as in the pattern."""
        pools = [sorted(self._seen_parts if p in self._seen_parts else self._asked_parts) for p in parts]
        for _ in range(TRIES):
            new = [pool[rng.integers(len(pool))] for pool in pools]
            if len(set(new)) < len(new) or frozenset(new) in self._taken:
                continue
            if parts == sorted(parts):
                new.sort()
            return "+".join(new), [gene for part in new for gene in self._genes_of_part(part)]
        return None

    def _single(self, pattern: str, rng: np.random.Generator) -> tuple[str, list[str]] | None:
        if pattern in self._seen_parts:
            # seen as part of combinations only: another such part
            parts = [part for part in sorted(self._seen_parts) if frozenset([part]) not in self._taken]
            part = parts[rng.integers(len(parts))] if parts else None
            return None if part is None else (part, self._genes_of_part(part))
        targets = self._known.get(pattern, [])
        if not targets:
            name = self._named(pattern, rng)
            return None if name is None else (name, [])
        if len(self._free_genes) < len(targets):
            return None
        chosen = rng.choice(self._free_genes, len(targets), replace=False)
        genes = [str(gene) for gene in chosen]
        self._free_genes = [gene for gene in self._free_genes if gene not in genes]
        renamed: str | None = pattern
        for old, new in zip(targets, genes, strict=True):
            renamed = renamed and re.sub(rf"(?<![A-Za-z0-9]){re.escape(old)}(?![A-Za-z0-9])", new, renamed)
        if renamed == pattern:
            renamed = self._named(pattern, rng)
        return None if renamed is None or frozenset([renamed]) in self._taken else (renamed, genes)

    def _genes_of_part(self, part: str) -> list[str]:
        if part in self._known:
            return self._known[part]
        for name, targets in self._known.items():
            parts = name.split("+")
            if part in parts and len(parts) == len(targets):
                return [targets[parts.index(part)]]
        return []

    def _named(self, pattern: str, rng: np.random.Generator) -> str | None:
        """A new name of the pattern's form: other numbers, or, for a name of letters, letters that follow one another."""
        for _ in range(TRIES):
            name = self._numbered(pattern, rng) if re.search(r"[0-9]", pattern) else self._worded(rng)
            if name and _shape(name) in self._shapes and frozenset([name]) not in self._taken:
                return name
        return None

    def _numbered(self, pattern: str, rng: np.random.Generator) -> str:
        """The pattern with each figure drawn from those that stand in its place in names of its form."""
        alike = [name for name in self._names if _form(name) == _form(pattern)]
        return "".join(
            alike[rng.integers(len(alike))][place] if letter.isdecimal() else letter
            for place, letter in enumerate(pattern)
        )

    def _worded(self, rng: np.random.Generator) -> str:
        """Letters drawn from what follows each two letters in the real names."""
        name = ""
        while len(name) < LONGEST:
            options = self._follows[name[-2:]]
            letter = options[rng.integers(len(options))]
            if letter == END:
                break
            name += letter
        return name

    @cached_property
    def _follows(self) -> dict[str, list[str]]:
        follows = defaultdict(list)
        for name in self._names:
            for place, letter in enumerate(name + END):
                follows[name[max(0, place - 2) : place]].append(letter)
        return follows


def _form(name: str) -> str:
    """A name with every figure hidden."""
    return re.sub(r"[0-9]", "0", name)


def _shape(name: str) -> str:
    """What kind of letter stands where; words are as long as they are, numbers figure by figure."""
    return _form(re.sub(r"[a-z]+", "a", re.sub(r"[A-Z]", "A", name)))

"""Gene graphs from what people have: an edge list, gene sets, co-expression of training cells."""

from __future__ import annotations

import gzip
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from harness.datasets.dataset import PerturbDataset
from harness.datasets.graphs import GeneGraph, load_graph
from harness.errors import HarnessError

HEADS = frozenset(
    {
        "source",
        "target",
        "from",
        "to",
        "gene1",
        "gene2",
        "protein1",
        "protein2",
        "regulator",
        "node1",
        "node2",
    }
)
BLOCK_ROWS = 1024


def build_graph(
    path: Path, genes: Sequence[str], *, directed: bool = False, self_loops: bool = False
) -> GeneGraph:
    """A graph over an ordered gene list from a file, by its ending: `.gmt`, `.npz`, else an edge list; `.gz` is read too."""
    plain = path.name.removesuffix(".gz")
    if plain.endswith(".npz"):
        return load_graph(path, genes)
    if plain.endswith(".gmt"):
        return from_gmt(path, genes, self_loops=self_loops)
    return from_edges(path, genes, directed=directed, self_loops=self_loops)


def from_edges(
    path: Path, genes: Sequence[str], *, directed: bool = False, self_loops: bool = False
) -> GeneGraph:
    """A graph from lines of source, target and (optional) weight, apart by tabs, or by spaces as in STRING's files.

    A third column that is not a number is no weight. Edges with a gene outside of the list are left out; an edge that
    stands twice counts with its largest weight, and so does the way back unless `directed`.
    """
    place = {gene: position for position, gene in enumerate(genes)}
    found: dict[tuple[int, int], float] = {}
    names: list[str] = []
    for source, target, weight in _edges(path):
        names[4:] = [source]
        if source not in place or target not in place:
            continue
        key = (place[source], place[target])
        for pair in (key,) if directed else (key, key[::-1]):
            found[pair] = max(weight, found.get(pair, weight))
    if not found:
        raise _nothing_left(path, "edge", names, genes)
    ends = np.array(list(found))
    weights = sp.csr_matrix((list(found.values()), (ends[:, 0], ends[:, 1])), shape=(len(genes), len(genes)))
    return _of_file(path, weights, genes, self_loops)


def from_gmt(
    path: Path,
    genes: Sequence[str],
    *,
    smallest: int = 5,
    largest: int = 300,
    neighbours: int = 20,
    least: float = 0.1,
    self_loops: bool = False,
) -> GeneGraph:
    """A graph of genes that share gene sets: edge weight is the Jaccard index of the sets two genes belong to.

    Sets of `smallest` to `largest` genes count; each gene keeps its `neighbours` best of at least `least`, ties by name.
    """
    place = {gene: position for position, gene in enumerate(genes)}
    sets = [members for members in _gene_sets(path) if smallest <= len(members) <= largest]
    pairs = [(place[g], s) for s, members in enumerate(sets) for g in sorted(members) if g in place]
    if not pairs:
        raise _nothing_left(path, "gene set", sorted(sets[0])[:5] if sets else [], genes)
    ends = np.array(pairs)
    member = sp.csr_matrix((np.ones(len(ends)), (ends[:, 0], ends[:, 1])), shape=(len(genes), len(sets)))
    size = np.asarray(member.sum(axis=1)).ravel()

    def jaccard(start: int, stop: int) -> NDArray[np.float64]:
        common = (member[start:stop] @ member.T).toarray()
        union = size[start:stop, None] + size[None, :] - common
        return np.asarray(common / np.maximum(union, 1))

    return GeneGraph.of(_nearest(jaccard, genes, neighbours, least), genes, "external", self_loops=self_loops)


def from_coexpression(
    dataset: PerturbDataset,
    rows: NDArray[np.int64],
    *,
    neighbours: int = 20,
    least: float = 0.1,
    self_loops: bool = False,
) -> GeneGraph:
    """A graph of genes that vary together over the given rows, which must be labelled training rows of a split.

    Edge weight is the absolute Pearson correlation, means taken out within each context; provenance `learned`.
    Memory is that of a genes × genes matrix and one block of rows.
    """
    if not len(rows):
        raise HarnessError("co-expression needs training rows", got="no rows")
    n = dataset.meta.n_vars
    squares = np.zeros((n, n))
    for code in np.unique(dataset.obs.context.codes[rows]):
        squares += _scatter(dataset, rows[dataset.obs.context.codes[rows] == code])
    spread = np.sqrt(np.diagonal(squares))
    spread = np.where(spread > 0, spread, np.inf)

    def correlation(start: int, stop: int) -> NDArray[np.float64]:
        return np.asarray(np.abs(squares[start:stop] / spread[start:stop, None] / spread[None, :]))

    weights = _nearest(correlation, dataset.genes, neighbours, least)
    return GeneGraph.of(weights, dataset.genes, "learned", self_loops=self_loops)


def _scatter(dataset: PerturbDataset, rows: NDArray[np.int64]) -> NDArray[np.float64]:
    """Sums of products around the mean of some rows. [genes, genes]"""
    starts = range(0, len(rows), BLOCK_ROWS)
    mean = sum(dataset.X[rows[s : s + BLOCK_ROWS]].sum(axis=0, dtype=np.float64) for s in starts) / len(rows)
    total = np.zeros((dataset.meta.n_vars, dataset.meta.n_vars))
    for start in starts:
        block = dataset.X[rows[start : start + BLOCK_ROWS]] - mean
        total += block.T @ block
    return total


def _nearest(similarity: Any, genes: Sequence[str], neighbours: int, least: float) -> Any:
    """For each gene its most similar genes, ties by name, as sparse weights. [genes, genes]"""
    n = len(genes)
    name_rank = np.argsort(np.argsort(np.array(genes, dtype=str), kind="stable"))
    sources, targets, weights = [], [], []
    for start in range(0, n, BLOCK_ROWS):
        block = similarity(start, min(start + BLOCK_ROWS, n))
        block[np.arange(len(block)), np.arange(start, start + len(block))] = 0
        last = np.partition(block, max(0, n - neighbours), axis=1)[:, max(0, n - neighbours), None]
        row, column = np.nonzero((block >= last) & (block >= least) & (block > 0))
        value = block[row, column]
        order = np.lexsort((name_rank[column], -value, row))
        row, column, value = row[order], column[order], value[order]
        kept = np.arange(len(row)) - np.searchsorted(row, row) < neighbours
        sources.append(row[kept] + start)
        targets.append(column[kept])
        weights.append(value[kept])
    ends = (np.concatenate(sources), np.concatenate(targets))
    return sp.csr_matrix((np.concatenate(weights), ends), shape=(n, n))


def _edges(path: Path) -> Iterator[tuple[str, str, float]]:
    weighted = False
    for number, line in enumerate(_lines(path), start=1):
        fields = line.split("\t") if "\t" in line else line.split()
        if len(fields) < 2:
            raise HarnessError(
                "edge list has a line that is no edge",
                where=f"{path}, line {number}",
                got=repr(line[:60]),
                expected="source, target and an optional weight, apart by tabs",
            )
        if number == 1 and HEADS & {field.lower() for field in fields[:2]}:
            continue
        weight = _number(fields[2]) if len(fields) > 2 else None
        weighted = weighted or (weight is not None and number <= 2)
        if weighted and weight is None:
            raise HarnessError(
                "edge list has a weight that is not a number",
                where=f"{path}, line {number}",
                got=repr(fields[2] if len(fields) > 2 else ""),
            )
        yield fields[0], fields[1], weight if weighted and weight is not None else 1.0


def _gene_sets(path: Path) -> list[frozenset[str]]:
    sets = []
    for number, line in enumerate(_lines(path), start=1):
        fields = line.split("\t")
        if len(fields) < 3:
            raise HarnessError(
                "gene-set file has a line that is no set",
                where=f"{path}, line {number}",
                got=repr(line[:60]),
                expected="name, description and genes, apart by tabs",
            )
        sets.append(frozenset(gene for gene in fields[2:] if gene))
    return sets


def _lines(path: Path) -> Iterator[str]:
    try:
        with gzip.open(path, "rt") if path.name.endswith(".gz") else path.open() as handle:
            for line in handle:
                if line.strip() and not line.startswith("#"):
                    yield line.rstrip("\r\n")
    except FileNotFoundError:
        raise HarnessError("graph source not found", where=path, mend="check the path") from None
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise HarnessError("graph source is not readable text", where=path, got=error) from None


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _of_file(path: Path, weights: Any, genes: Sequence[str], self_loops: bool) -> GeneGraph:
    try:
        return GeneGraph.of(weights, genes, "external", self_loops=self_loops)
    except HarnessError as error:
        raise HarnessError(
            error.what, where=path, got=error.got, expected=error.expected, mend=error.mend
        ) from None


def _nothing_left(path: Path, kind: str, names: Sequence[str], genes: Sequence[str]) -> HarnessError:
    return HarnessError(
        f"no {kind} of the file joins genes of the dataset",
        where=path,
        got=f"names like {', '.join(names[:4]) or 'none'}",
        expected=f"names like {', '.join(genes[:4])}",
        mend="check that both use the same naming (symbols or Ensembl ids)",
    )

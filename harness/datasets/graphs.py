"""`GeneGraph`: a row-normalised gene graph, its file, and its alignment to the genes of a task."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from harness.digest import seed_from
from harness.errors import HarnessError
from harness.storage import write_bytes

Provenance = Literal["external", "learned"]
PROVENANCES: tuple[Provenance, ...] = ("external", "learned")
_ROUNDING = 1e-5


@dataclass(frozen=True)
class GeneGraph:
    """A directed gene graph in compressed rows; the weights of each row sum to 1, or the row is empty."""

    indptr: NDArray[np.int64]  # [genes + 1]
    indices: NDArray[np.int32]  # [edges], ascending within a row
    data: NDArray[np.float32]  # [edges]
    genes: tuple[str, ...]
    provenance: Provenance
    """`learned`: made from training cells; `external`: made from other knowledge."""
    self_loops: bool
    """Whether every gene was given an edge to itself; without it no gene has one."""

    @classmethod
    def of(
        cls, weights: Any, genes: Sequence[str], provenance: Provenance, *, self_loops: bool = False
    ) -> GeneGraph:
        """A graph from non-negative weights, sparse or dense [genes, genes].

        Loops in the weights are dropped; with `self_loops` each gene gets one as strong as its strongest edge.
        """
        matrix = sp.csr_matrix(weights, dtype=np.float64)
        _check_weights(matrix, genes)
        matrix.setdiag(0)
        matrix.eliminate_zeros()
        if self_loops:
            strongest = matrix.max(axis=1).toarray().ravel()
            matrix = matrix + sp.diags(np.where(strongest > 0, strongest, 1.0))
        matrix = sp.csr_matrix(matrix)
        matrix.sort_indices()
        total = np.asarray(matrix.sum(axis=1)).ravel()
        total[np.abs(total - 1) < _ROUNDING] = 1  # a graph that was read keeps its bits
        row = np.repeat(np.arange(len(genes)), np.diff(matrix.indptr))
        return cls(
            indptr=matrix.indptr.astype(np.int64),
            indices=matrix.indices.astype(np.int32),
            data=(matrix.data / total[row]).astype(np.float32),
            genes=tuple(genes),
            provenance=provenance,
            self_loops=self_loops,
        )

    @property
    def n_edges(self) -> int:
        """Number of edges, loops included."""
        return len(self.indices)

    @property
    def density(self) -> float:
        """Share of the ordered pairs of different genes that are joined."""
        n = len(self.genes)
        return float((self._sources() != self.indices).sum() / max(1, n * (n - 1)))

    @property
    def coverage(self) -> float:
        """Share of the genes with at least one edge to or from another gene."""
        source = self._sources()
        joined = source != self.indices
        return len(np.union1d(source[joined], self.indices[joined])) / max(1, len(self.genes))

    def matrix(self) -> Any:
        """The graph as a scipy CSR matrix. [genes, genes]"""
        shape = (len(self.genes), len(self.genes))
        return sp.csr_matrix((self.data, self.indices, self.indptr), shape=shape)

    def aligned(self, genes: Sequence[str], *, where: object = None) -> GeneGraph:
        """The graph over another ordered gene list: genes it does not know have no edge, rows are normalised again."""
        place = {gene: position for position, gene in enumerate(self.genes)}
        known = [position for position, gene in enumerate(genes) if gene in place]
        if not known:
            raise HarnessError(
                "graph and genes have no gene in common",
                where=where,
                got=f"graph of {', '.join(self.genes[:4])}, …",
                expected=f"genes like {', '.join(genes[:4])}, …",
                mend="check that both use the same naming (symbols or Ensembl ids)",
            )
        old = np.array([place[genes[position]] for position in known])
        pick = sp.csr_matrix(
            (np.ones(len(known)), (known, old)), shape=(len(genes), len(self.genes)), dtype=np.float64
        )
        return GeneGraph.of(pick @ self.matrix() @ pick.T, genes, self.provenance, self_loops=self.self_loops)

    def _sources(self) -> NDArray[np.int64]:
        return np.repeat(np.arange(len(self.genes)), np.diff(self.indptr))


def graphs_folder(dataset: Path) -> Path:
    """Where the graphs of a dataset lie: beside it, because the artifact itself is frozen."""
    return dataset.with_name(f"{dataset.name}.graphs")


def graphs_beside(dataset: Path, split_hash: str | None = None) -> list[Path]:
    """The graphs that lie beside a dataset, and those learned for one split, in a folder of its hash."""
    beside = graphs_folder(dataset)
    learned = [] if split_hash is None else sorted((beside / split_hash).glob("*.npz"))
    return sorted(beside.glob("*.npz")) + learned


def rewire(graph: GeneGraph, seed: int, *, swaps_per_edge: int = 10) -> GeneGraph:
    """The same graph with its ends exchanged at random: every gene keeps its number of edges in and out.

    Pairs of edges a→b, c→d become a→d, c→b wherever that makes neither a loop nor an edge twice (Maslov & Sneppen 2002).
    Weights stay with the source.
    """
    rng = np.random.default_rng(seed_from("rewire", seed))
    source = graph._sources()
    loop = source == graph.indices
    source, target = source[~loop], graph.indices[~loop].astype(np.int64)
    n, m = len(graph.genes), len(source)
    present = set((source * n + target).tolist())
    pairs = rng.integers(m, size=(swaps_per_edge * m if m > 1 else 0, 2))
    for i, j in pairs.tolist():
        a, b, c, d = int(source[i]), int(target[i]), int(source[j]), int(target[j])
        ad, cb = a * n + d, c * n + b
        if a == d or c == b or ad in present or cb in present:
            continue
        present -= {a * n + b, c * n + d}
        present |= {ad, cb}
        target[i], target[j] = d, b
    weights = sp.csr_matrix((graph.data[~loop], (source, target)), shape=(n, n))
    return GeneGraph.of(weights, graph.genes, graph.provenance, self_loops=graph.self_loops)


def save_graph(graph: GeneGraph, path: Path) -> Path:
    """Write a graph as `.npz` (CSR parts and genes), in one step; the same graph gives the same bytes."""
    members: dict[str, NDArray[Any]] = {
        "indptr": graph.indptr,
        "indices": graph.indices,
        "data": graph.data,
        "genes": np.array(graph.genes, dtype=str),
        "provenance": np.array(graph.provenance),
        "self_loops": np.array(graph.self_loops),
    }
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, array in members.items():
            with archive.open(zipfile.ZipInfo(f"{name}.npy", (1980, 1, 1, 0, 0, 0)), "w") as member:
                np.lib.format.write_array(member, array, allow_pickle=False)
    write_bytes(path, buffer.getvalue())
    return path


def read_graph(path: Path) -> GeneGraph:
    """A graph from its file: CSR parts, or a dense `adjacency`, with `genes`; refused unless it is whole and well-formed."""
    try:
        with np.load(path, allow_pickle=False) as file:
            members = {name: np.asarray(file[name]) for name in file.files}
    except FileNotFoundError:
        raise HarnessError("graph not found", where=path, mend="harness data graph makes one") from None
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise HarnessError("graph is not a readable .npz file", where=path, got=error) from None
    weights, genes = _weights_of(members, path)
    provenance = str(members.get("provenance", "external"))
    if provenance not in PROVENANCES:
        raise HarnessError(
            "graph has an unknown provenance", where=path, got=provenance, expected=" or ".join(PROVENANCES)
        )
    loops = bool(members["self_loops"]) if "self_loops" in members else bool(weights.diagonal().all())
    try:
        return GeneGraph.of(weights, genes, provenance, self_loops=loops)
    except HarnessError as error:
        raise HarnessError(error.what, where=path, got=error.got, expected=error.expected) from None


def load_graph(path: Path, genes: Sequence[str] | None = None) -> GeneGraph:
    """A graph from its file, aligned to an ordered gene list where one is given."""
    graph = read_graph(path)
    return graph if genes is None or tuple(genes) == graph.genes else graph.aligned(genes, where=path)


def _weights_of(members: dict[str, NDArray[Any]], path: Path) -> tuple[Any, list[str]]:
    parts = {"indptr", "indices", "data"}
    missing = {"genes"} - members.keys() or (
        parts - members.keys() if "adjacency" not in members else frozenset()
    )
    if missing:
        raise HarnessError(
            "graph file lacks members",
            where=path,
            got=", ".join(sorted(members)) or "nothing",
            expected="genes and either adjacency [genes, genes] or indptr, indices, data",
        )
    genes = [str(gene) for gene in members["genes"]]
    n = len(genes)
    if "adjacency" in members:
        return members["adjacency"], genes
    indptr, indices, data = (members[name] for name in ("indptr", "indices", "data"))
    sound = (
        indptr.shape == (n + 1,)
        and indices.ndim == data.ndim == 1
        and len(indices) == len(data)
        and indptr[0] == 0
        and indptr[-1] == len(indices)
        and bool((np.diff(indptr) >= 0).all())
        and (not len(indices) or (indices.min() >= 0 and indices.max() < n))
    )
    if not sound:
        raise HarnessError(
            "graph does not fit its genes",
            where=path,
            got=f"indptr {indptr.shape}, indices {indices.shape}, data {data.shape}, {n} genes",
            expected="indptr of genes + 1 ascending numbers from 0 to the number of edges, indices below genes",
        )
    return sp.csr_matrix((data, indices, indptr), shape=(n, n)), genes


def _check_weights(matrix: Any, genes: Sequence[str]) -> None:
    n = len(genes)
    if matrix.shape != (n, n):
        raise HarnessError("graph does not fit its genes", got=f"{matrix.shape} weights", expected=(n, n))
    if len(set(genes)) != n:
        raise HarnessError("graph names a gene more than once", got=f"{n - len(set(genes))} repeated names")
    if not np.isfinite(matrix.data).all() or (matrix.data < 0).any():
        raise HarnessError(
            "graph has weights that are negative or not finite",
            expected="weights of 0 and above",
            mend="store the strength of an edge; signs belong to a model",
        )

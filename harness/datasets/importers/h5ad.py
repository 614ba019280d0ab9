"""The `.h5ad` importer: scan, judge, then write in artifact order. Memory is bounded by one block of rows."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from scipy import sparse

from harness.datasets.builder import Arrays, Rows, build_dataset
from harness.datasets.gene_space import GeneMoments, choose_genes
from harness.datasets.importers import columns
from harness.datasets.importers.h5_matrix import Matrix, open_matrix
from harness.datasets.importers.h5_table import H5Table, as_text
from harness.datasets.importers.h5ad_options import H5adOptions
from harness.datasets.importers.registry import Progress
from harness.datasets.importers.report import Report, examples
from harness.datasets.importers.rows import SourceTable, read_rows
from harness.datasets.meta import MatchingRule, Preprocessing, Source, Unit
from harness.datasets.normalise import (
    STATED_KINDS,
    ValueKind,
    ValueSummary,
    judge_values,
    log_normalise,
    smallest_unsigned,
    x_kind_of,
)
from harness.datasets.obs import Pool
from harness.datasets.pools import deal_controls
from harness.digest import file_hash
from harness.errors import HarnessError
from harness.storage import refuse_existing, scratch_folder

ROWS_BEHIND_A_FAULT = 100_000
"""How far values are looked at when the row table is at fault already, so that the report comes soon."""


@dataclass(frozen=True)
class Plan:
    """A source that has been read and found good."""

    matrix: Matrix
    genes: list[str]
    table: SourceTable
    kind: ValueKind
    totals: NDArray[np.float64]  # [rows]
    largest: float
    steps: list[str]


def import_h5ad(source: Path, out: Path, options: H5adOptions, *, progress: Progress | None = None) -> Path:
    """Import an `.h5ad` file as a new artifact. Everything that forbids it is told in one refusal."""
    tell = progress or _silent
    refuse_existing(out, kind="dataset")
    with open_h5ad(source) as file, scratch_folder(out) as scratch:
        report = Report()
        plan = _scan(source, file, options, scratch, report, tell)
        order = plan.table.rows.order()
        genes, rule = _gene_space(plan, order, options, tell)
        _refuse_too_large(out, plan, len(genes))
        unit: Unit = options.unit if options.unit != "auto" else _unit(plan.kind)
        with build_dataset(
            out,
            name=options.name or out.name,
            title=options.title,
            genes=[plan.genes[gene] for gene in genes],
            rows=plan.table.rows.take(order),
            perturbations=plan.table.targets,
            unit=unit,
            x_kind=x_kind_of(plan.kind),
            matching=_matching(plan, options),
            counts_dtype=smallest_unsigned(plan.largest) if plan.kind == "counts" else None,
            preprocessing=Preprocessing(
                found=plan.kind,
                steps=plan.steps,
                target_sum=options.target_sum if plan.kind in ("counts", "normalised") else None,
                gene_space=rule,
            ),
            source=Source(
                url=options.url,
                license=options.license,
                citation=options.citation,
                sha256=file_hash(source),
                card=options.card,
            ),
            notes=report.notes,
            seed=options.seed,
        ) as arrays:
            _write(plan, arrays, order, genes, options.target_sum, tell)
    return out


@contextmanager
def open_h5ad(source: Path) -> Iterator[h5py.File]:
    """A file that has at least X, obs and var."""
    if not source.is_file():
        raise HarnessError("source not found", where=source, mend="check the path")
    try:
        file = h5py.File(source, "r")
    except OSError as error:
        raise HarnessError(
            "source is not a readable HDF5 file",
            where=source,
            got=error,
            mend="fetch or write it again; it may be cut short",
        ) from None
    with file:
        missing = [part for part in ("X", "obs", "var") if part not in file]
        if missing:
            raise HarnessError(
                "source is no h5ad file",
                where=source,
                got=f"no {', '.join(missing)}",
                expected="X, obs and var",
            )
        yield file


def _scan(
    source: Path, file: h5py.File, options: H5adOptions, scratch: Path, report: Report, tell: Progress
) -> Plan:
    """Read the tables and look at every value once; all faults are raised together."""
    node, var = _layer(source, file, options.layer)
    matrix = open_matrix(node, scratch)
    genes = _genes(H5Table(file, var), options, report)
    obs = H5Table(file, "obs")
    table = read_rows(obs, options, genes, report)
    if (len(obs.index()), len(genes)) != matrix.shape:
        report.fault(
            f"matrix is {matrix.shape[0]} × {matrix.shape[1]}, but there are {len(obs.index())} rows and {len(genes)} genes"
        )
        report.refuse(source)
    limit = ROWS_BEHIND_A_FAULT if report.faults else matrix.shape[0]
    summary = ValueSummary(np.zeros(matrix.shape[0]))
    for start, block in matrix.blocks(limit):
        summary.add(start, block)
        tell(start + block.shape[0], matrix.shape[0], "scan")
    kind, faults = judge_values(summary, _told_kind(file, options, report))
    for fault in faults:
        report.fault(fault)
    if table is not None:
        _check_controls(table.rows, kind, report)
    totals, steps = _totals(obs, summary, kind, options, report)
    report.refuse(source)
    if table is None:
        raise AssertionError("a missing table is a fault")
    return Plan(matrix, genes, table, kind, totals, summary.largest, steps)


def _layer(source: Path, file: h5py.File, layer: str | None) -> tuple[h5py.Dataset | h5py.Group, str]:
    if layer is None:
        return file["X"], "var"
    if layer == "raw" and "raw" in file:
        return file["raw/X"], "raw/var"
    layers = list(file.get("layers", {}))
    if layer not in layers:
        known = [*layers, *(["raw"] if "raw" in file else [])]
        raise HarnessError(
            f"no layer {layer!r}", where=source, expected=", ".join(known) or "there are no layers"
        )
    return file["layers"][layer], "var"


def _genes(var: H5Table, options: H5adOptions, report: Report) -> list[str]:
    column = (
        None if options.gene_column is None else columns.find(var, options.gene_column, (), "gene", report)
    )
    names = [str(name) for name in (var.index() if column is None else as_text(var[column])).to_pylist()]
    values, counts = np.unique(np.array(names, dtype=str), return_counts=True)
    twice = [f"{name} (×{n})" for name, n in zip(values, counts, strict=True) if n > 1]
    if twice:
        report.fault(
            f"{len(twice)} gene name{' stands' if len(twice) == 1 else 's stand'} more than once: {examples(twice)}",
            "make the gene names unique, or name another gene_column",
        )
    return names


def _told_kind(file: h5py.File, options: H5adOptions, report: Report) -> ValueKind | None:
    if options.values != "auto":
        return options.values
    stated = file.get("uns/x_kind")
    word = stated[()] if isinstance(stated, h5py.Dataset) and stated.shape == () else None
    word = word.decode() if isinstance(word, bytes) else word
    if options.layer is not None or word not in STATED_KINDS:
        return None
    report.note(f"values are {word}, as uns['x_kind'] says")
    return STATED_KINDS[word]


def _check_controls(rows: Rows, kind: ValueKind, report: Report) -> None:
    """Every context needs a control, unless rows are deltas or signatures that need none."""
    if kind in ("delta", "rank") or (kind == "zscore" and not rows.is_control.any()):
        return
    with_control = np.bincount(rows.context.codes[rows.is_control], minlength=len(rows.context.levels)) > 0
    lonely = np.flatnonzero(~with_control)
    if len(lonely):
        n_rows = np.bincount(rows.context.codes, minlength=len(rows.context.levels))
        report.fault(
            f"{len(lonely)} of {len(with_control)} contexts have no control cells: "
            + examples([f"{rows.context.levels[code]} ({n_rows[code]} rows)" for code in lonely]),
            f"check control label and context column (perturbations: {examples(rows.pert.levels, 8)})",
        )


def _totals(
    obs: H5Table, summary: ValueSummary, kind: ValueKind, options: H5adOptions, report: Report
) -> tuple[NDArray[np.float64], list[str]]:
    """The total of each row that counts are scaled by, and the preprocessing in words."""
    totals = summary.totals
    if kind not in ("counts", "normalised"):
        return totals, []
    column = options.total_counts_column
    if kind == "counts":
        column = columns.find(obs, column, columns.TOTAL_COUNTS, "total counts", report)
    if column is not None and column in obs.names:
        values = obs[column]
        short = isinstance(values, pa.Array) or not (np.asarray(values, np.float64) >= totals - 0.5).all()
        if not short:
            totals = np.asarray(values, np.float64)
        elif options.total_counts_column is not None:
            report.fault(
                f"column {column!r} is less than the sum of the row's counts in places",
                "name the column with full totals",
            )
            return totals, []
        else:
            report.note(f"column {column!r} is less than the sum of the row's counts in places: not used")
            column = None
    empty = int((totals <= 0).sum())
    if empty:
        report.note(f"{empty} rows have no counts and stay zero")
    of = "the row's sum" if column is None else f"obs column {column!r} (full transcriptome)"
    return totals, [f"divided by {of}, times {options.target_sum:g}", "log1p"]


def _gene_space(
    plan: Plan, order: NDArray[np.int64], options: H5adOptions, tell: Progress
) -> tuple[NDArray[np.int64], str]:
    """The genes to keep; asks pool-A controls, in a pass of its own, only where a rule needs them."""
    if options.top_hvg is None and not options.min_control_cells:
        return np.arange(len(plan.genes)), "all genes of the source"
    if x_kind_of(plan.kind) != "log_normalised":
        raise HarnessError(
            "genes can be chosen on expression only",
            got=plan.kind,
            mend="leave out top_hvg and min_control_cells",
        )
    rows = plan.table.rows.take(order)
    pool, _ = deal_controls(rows.context, rows.batch, rows.is_control, options.seed)
    in_pool_a = np.zeros(len(order), bool)
    in_pool_a[order] = (pool & Pool.A.value) != 0
    moments = GeneMoments(len(plan.genes))
    for start, block in plan.matrix.blocks():
        chosen = np.flatnonzero(in_pool_a[start : start + block.shape[0]])
        if len(chosen):
            moments.add(_expression(plan, block[chosen], start + chosen, options.target_sum))
        tell(start + block.shape[0], plan.matrix.shape[0], "genes")
    return choose_genes(
        plan.genes,
        moments,
        keep={gene for parts in plan.table.targets.values() for gene in parts},
        min_control_cells=options.min_control_cells,
        top_hvg=options.top_hvg,
    )


def _expression(
    plan: Plan, block: sparse.csr_array, rows: NDArray[np.int64], target_sum: float
) -> sparse.csr_array:
    if plan.kind in ("counts", "normalised"):
        return log_normalise(block, plan.totals[rows], target_sum)
    return block


def _write(
    plan: Plan,
    arrays: Arrays,
    order: NDArray[np.int64],
    genes: NDArray[np.int64],
    target_sum: float,
    tell: Progress,
) -> None:
    """Second pass: every block goes to its places in artifact order, in rising order so that pages are written once."""
    place = np.empty(len(order), np.int64)
    place[order] = np.arange(len(order))
    some = len(genes) < len(plan.genes)
    for start, block in plan.matrix.blocks():
        rows = np.arange(start, start + block.shape[0])
        rising = np.argsort(place[rows])
        target = place[rows][rising]
        block = block[rising]
        values = _expression(plan, block, rows[rising], target_sum)
        arrays.X[target] = (values[:, genes] if some else values).toarray()
        if arrays.counts is not None:
            arrays.counts[target] = (block[:, genes] if some else block).toarray()
        tell(start + len(rows), plan.matrix.shape[0], "write")


def _unit(kind: ValueKind) -> Unit:
    return "cell" if kind in ("counts", "normalised", "log_normalised") else "profile"


def _matching(plan: Plan, options: H5adOptions) -> MatchingRule:
    if options.matching != "auto":
        return options.matching
    signature = plan.kind in ("delta", "rank") or not plan.table.rows.is_control.any()
    return "none" if signature else "cell"


def _refuse_too_large(out: Path, plan: Plan, n_genes: int) -> None:
    width = 4 + (np.dtype(smallest_unsigned(plan.largest)).itemsize if plan.kind == "counts" else 0)
    needed = plan.matrix.shape[0] * n_genes * width
    free = shutil.disk_usage(out.absolute().parent).free
    if needed > free:
        raise HarnessError(
            "not enough disk space for the artifact",
            where=out,
            got=f"{free / 1e9:.1f} GB free",
            expected=f"{needed / 1e9:.1f} GB",
            mend="free some space, choose fewer genes (top_hvg), or import elsewhere",
        )


def _silent(done: int, total: int, what: str) -> None:
    """Nobody is told."""


class H5adImporter:
    """Any `.h5ad` file."""

    name = "h5ad"
    description = "any .h5ad file; columns are told or guessed"
    options = H5adOptions

    def run(self, source: Path, out: Path, options: H5adOptions, progress: Progress | None = None) -> Path:
        """Import as a new artifact."""
        return import_h5ad(source, out, options, progress=progress)


IMPORTER = H5adImporter()

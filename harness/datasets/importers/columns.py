"""Finding the columns of a source's row table: as told, else by the names that files commonly use."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from harness.datasets.importers.h5_table import Column, Table, as_text
from harness.datasets.importers.report import Report, examples

PERTURBATION = (
    "pert_id",
    "perturbation",
    "condition",
    "perturbation_name",
    "pert_iname",
    "target_gene",
    "gene",
    "target",
    "guide_identity",
    "treatment",
    "drug",
    "compound",
)
CONTEXT = (
    "context_id",
    "context",
    "cell_line",
    "cell_type",
    "celltype",
    "cell_line_id",
    "cell_id",
    "cellline",
)
BATCH = ("batch_id", "batch", "gem_group", "gemgroup", "plate", "lane", "library", "replicate", "sample")
IS_CONTROL = ("is_control", "control", "is_ctrl")
INTERVENTION = (
    "dose",
    "dose_um",
    "dose_value",
    "dose_val",
    "dosage",
    "concentration",
    "time",
    "time_h",
    "timepoint",
    "time_point",
)
TOTAL_COUNTS = ("total_counts", "n_counts", "ncounts", "nCount_RNA", "n_umi", "nUMI", "UMI_count")
CONTROL_LABELS = (
    "control",
    "ctrl",
    "non-targeting",
    "nontargeting",
    "non_targeting",
    "nt",
    "neg_ctrl",
    "negative_control",
    "unperturbed",
    "dmso",
    "dmso_tf",
    "vehicle",
    "untreated",
    "mock",
    "pbs",
)
MISSING = ("", "nan", "NaN", "None", "NA", "<NA>")


def find(table: Table, told: str | None, common: Sequence[str], what: str, report: Report) -> str | None:
    """The name of a column; one that was told but is not there is a fault."""
    if told is not None:
        if told not in table.names:
            report.fault(
                f"no column {told!r} ({what}); columns: {examples(table.names, 30)}",
                f"name the {what} column",
            )
            return None
        return told
    by_case = {name.casefold(): name for name in reversed(table.names)}
    found = next((by_case[name.casefold()] for name in common if name.casefold() in by_case), None)
    if found is not None:
        report.note(f"{what} column guessed: {found!r}")
    return found


def required(table: Table, told: str | None, common: Sequence[str], what: str, report: Report) -> str | None:
    """A column without which there is no import."""
    name = find(table, told, common, what, report)
    if name is None and told is None:
        report.fault(
            f"no {what} column found; columns: {examples(table.names, 30)}",
            f"name the {what} column (usual: {', '.join(common[:3])})",
        )
    return name


def names_of(table: Table, column: str, report: Report, *, fill: str | None = None) -> pa.Array:
    """A column as names, stripped. Gaps are a fault, or filled with `fill` and noted."""
    text = pc.utf8_trim_whitespace(as_text(table[column]))
    if isinstance(text, pa.ChunkedArray):
        text = text.combine_chunks()
    gaps = pc.or_(pc.is_null(text), pc.fill_null(pc.is_in(text, value_set=pa.array(MISSING)), True))
    n_gaps = int(pc.sum(gaps).as_py() or 0)
    if not n_gaps:
        return text
    if fill is None:
        rows = np.flatnonzero(gaps.to_numpy(zero_copy_only=False))
        report.fault(
            f"{n_gaps} of {len(text)} rows have no name in column {column!r} (rows {examples(rows[:3])})",
            "fill the gaps in the source, or leave these rows out",
        )
    else:
        report.note(f"{n_gaps} gaps in column {column!r} are called {fill!r}")
    return pc.if_else(gaps, fill or "?", text)


def covariate_of(table: Table, column: str, report: Report) -> pa.Array | np.ndarray:
    """A covariate: numbers where every value is one, else names."""
    values: Column = table[column]
    if isinstance(values, pa.Array):
        numbers = _as_numbers(values)
        return names_of(table, column, report, fill="none") if numbers is None else numbers
    return as_text(values) if values.dtype == bool else values.astype(np.float64)


def _as_numbers(text: pa.Array) -> np.ndarray | None:
    levels = [
        level for level in pc.unique(text).to_pylist() if level is not None and level.strip() not in MISSING
    ]
    try:
        value = {level: float(level) for level in levels}
    except ValueError:
        return None
    encoded = text.dictionary_encode()
    table = np.array([value.get(level, np.nan) for level in encoded.dictionary.to_pylist()] + [np.nan])
    codes = encoded.indices.fill_null(len(table) - 1).to_numpy(zero_copy_only=False)
    return np.asarray(table[codes], np.float64) if levels else None

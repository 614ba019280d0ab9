"""From a source's row table to artifact rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from harness.datasets.builder import RESERVED, Rows
from harness.datasets.importers import columns
from harness.datasets.importers.h5_table import Table
from harness.datasets.importers.perturbations import control_labels, name_perturbations
from harness.datasets.importers.report import Report
from harness.datasets.importers.table_options import TableOptions
from harness.datasets.obs import Covariate, Labels

ONE_BATCH = "all"
CONTEXT_JOIN = " · "


@dataclass(frozen=True)
class SourceTable:
    """Rows in the source's order, and the target genes of their perturbations."""

    rows: Rows
    targets: dict[str, list[str]]


def read_rows(
    table: Table, options: TableOptions, genes: Sequence[str], report: Report
) -> SourceTable | None:
    """The row table under canonical names; None where a column without which there is no import is missing."""
    pert_column = columns.required(table, options.pert_column, columns.PERTURBATION, "perturbation", report)
    context = _context(table, options, report)
    flag_column = columns.find(table, options.control_column, columns.IS_CONTROL, "control", report)
    ids = table.index()
    repeated = len(ids) - len(pc.unique(ids))
    if repeated:
        report.note(f"{repeated} cell ids repeat an earlier one")
    batch = _batch(table, options, len(ids), report)
    covariates, intervention = _covariates(table, options, {pert_column, flag_column}, report)
    if pert_column is None or context is None:
        return None
    raw = Labels.of(columns.names_of(table, pert_column, report))
    flag = None
    if flag_column is not None:
        flag = _flag(table, flag_column, report, told=options.control_column is not None)
    controls = control_labels(raw.levels, options.control_label, report)
    if flag is not None:
        controls |= {raw.levels[code] for code in np.unique(raw.codes[flag])}
    named = name_perturbations(
        raw, controls, flag, options.combo_delimiter, options.perturbation_kind, genes, report
    )
    rows = Rows(named.pert, context, batch, named.is_control, ids, covariates, intervention)
    return SourceTable(rows, named.genes)


def _context(table: Table, options: TableOptions, report: Report) -> Labels | None:
    if options.context is not None:
        return _constant(options.context, len(table.index()))
    told = [options.context_column] if isinstance(options.context_column, str) else options.context_column
    found = [columns.required(table, name, columns.CONTEXT, "context", report) for name in told or (None,)]
    if None in found:
        report.mends.append("or say context=NAME if all rows are of one context")
        return None
    parts = [columns.names_of(table, name, report) for name in found if name is not None]
    return Labels.of(pc.binary_join_element_wise(*parts, CONTEXT_JOIN))


def _batch(table: Table, options: TableOptions, n_rows: int, report: Report) -> Labels:
    column = columns.find(table, options.batch_column, columns.BATCH, "batch", report)
    if column is None:
        report.note("no batch column: all rows are one batch")
        return _constant(ONE_BATCH, n_rows)
    return Labels.of(columns.names_of(table, column, report, fill="none"))


def _constant(name: str, n_rows: int) -> Labels:
    return Labels(np.zeros(n_rows, np.int32), (name,))


def _flag(table: Table, column: str, report: Report, *, told: bool) -> NDArray[np.bool_] | None:
    """A true/false column, also where it is written as 0/1 or as words."""
    words = Labels.of(columns.names_of(table, column, report, fill="false"))
    meaning = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
    strange = [level for level in words.levels if level.casefold() not in meaning]
    if strange:
        if told:
            report.fault(
                f"control column {column!r} holds {strange[0]!r}, not true or false",
                "name another control column",
            )
        else:
            report.note(f"column {column!r} is not true or false: not used as control column")
        return None
    return np.array([meaning[level.casefold()] for level in words.levels], bool)[words.codes]


def _covariates(
    table: Table, options: TableOptions, used: set[str | None], report: Report
) -> tuple[dict[str, Covariate], tuple[str, ...]]:
    usual = [name for name in table.names if name.casefold() in columns.INTERVENTION and name not in used]
    intervention = usual if options.intervention is None else options.intervention
    if options.intervention is None and usual:
        report.note(f"intervention columns guessed: {', '.join(usual)}")
    covariates: dict[str, Covariate] = {}
    for name in dict.fromkeys([*options.covariates, *intervention]):
        if columns.find(table, name, (), "covariate", report) is None:
            continue
        values = columns.covariate_of(table, name, report)
        covariates[f"source_{name}" if name in RESERVED else name] = (
            Labels.of(values) if isinstance(values, pa.Array) else values
        )
    return covariates, tuple(
        f"source_{name}" if name in RESERVED else name for name in intervention if name in table.names
    )

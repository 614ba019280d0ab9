"""The simple form: `data.npz` (X_control, X_pert, delta, obs_idx) and `meta.json` (obs, var, metadata)."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from harness.datasets.builder import Arrays, Rows, build_dataset
from harness.datasets.importers.h5_table import Column
from harness.datasets.importers.npz_members import NpzFile
from harness.datasets.importers.registry import Progress
from harness.datasets.importers.report import Report, examples
from harness.datasets.importers.rows import read_rows
from harness.datasets.importers.table_options import TableOptions
from harness.datasets.meta import Matching, MatchingRule, Preprocessing, Source, Unit, XKind
from harness.datasets.obs import Labels
from harness.digest import file_hash
from harness.errors import HarnessError
from harness.storage import read_json, refuse_existing

TOLERANCE = 1e-4
"""How far `delta` may be from `X_pert − X_control`, relative to the values."""
CELL_ID = "cell_id"
SIGNATURES = ("delta", "rank")


class SimpleOptions(TableOptions):
    """Options of the simple form; what is left out is taken from its `metadata`."""

    unit: Unit | Literal["auto"] = "auto"
    """`cell` or `profile`."""
    x_kind: XKind | Literal["auto"] = "auto"
    """What the values are; by default what `metadata` says, else log-normalised."""


class JsonTable:
    """The `obs` of a `meta.json`: columns as lists, or a list of records; in the order of `obs_idx`."""

    def __init__(self, obs: Any, rows: NDArray[np.int64] | None = None) -> None:
        if isinstance(obs, list):
            obs = {name: [record.get(name) for record in obs] for name in (obs[0] if obs else {})}
        self._columns: Mapping[str, list[Any]] = obs
        self._rows = rows

    @property
    def names(self) -> list[str]:
        return [name for name in self._columns if name != CELL_ID]

    def __len__(self) -> int:
        return len(next(iter(self._columns.values()), []))

    def index(self) -> pa.Array:
        """Cell ids, or row numbers where there are none."""
        if CELL_ID in self._columns:
            return pa.array([str(v) for v in self._take(self._columns[CELL_ID])], pa.string())
        return pa.array([str(i) for i in self._take(list(range(len(self))))], pa.string())

    def __getitem__(self, name: str) -> Column:
        values = self._take(self._columns[name])
        if all(isinstance(v, bool) for v in values):
            return np.array(values, bool)
        if all(v is None or isinstance(v, (int, float)) for v in values):
            return np.array([np.nan if v is None else v for v in values], np.float64)
        return pa.array([None if v is None else str(v) for v in values], pa.string())

    def _take(self, values: list[Any]) -> list[Any]:
        return values if self._rows is None else [values[row] for row in self._rows]


class Simple:
    """A simple form that has been opened and whose parts agree in size."""

    def __init__(self, folder: Path) -> None:
        document = read_json(folder / "meta.json", "meta.json of the simple form")
        missing = [
            key for key in ("obs", "var", "metadata") if not isinstance(document, dict) or key not in document
        ]
        if missing:
            raise HarnessError("meta.json is incomplete", where=folder, got=f"no {', '.join(missing)}")
        self.folder = folder
        self.metadata: Mapping[str, Any] = document["metadata"] or {}
        self.genes = _genes(document["var"])
        self.npz = NpzFile(folder / "data.npz")
        n_rows = len(self.genes) and self.npz.shape("X_pert")[0]
        shapes = {name: self.npz.shape(name) for name in ("X_pert", "X_control", "delta", "obs_idx")}
        expected = {name: (n_rows,) if name == "obs_idx" else (n_rows, len(self.genes)) for name in shapes}
        wrong = [name for name in shapes if shapes[name] != expected[name]]
        if wrong:
            raise HarnessError(
                "arrays of the simple form disagree",
                where=folder / "data.npz",
                got=", ".join(f"{name} {shapes[name]}" for name in wrong),
                expected=", ".join(f"{name} {expected[name]}" for name in wrong),
            )
        rows = self.npz.read("obs_idx").astype(np.int64)
        n_obs = len(JsonTable(document["obs"]))
        if len(rows) and not (rows.min() >= 0 and rows.max() < n_obs):
            raise HarnessError(
                "obs_idx points outside of obs",
                where=folder,
                got=f"{rows.min()} to {rows.max()}",
                expected=f"0 to {n_obs - 1}",
            )
        self.obs = JsonTable(document["obs"], rows)


def import_simple(
    source: Path, out: Path, options: SimpleOptions, *, progress: Progress | None = None
) -> Path:
    """Import a simple form as a new artifact.

    The form has one X_control per row and does not say which cell it was. Three cases:

    - `metadata.matching` says that the harness matched the rows to cells or means of the controls that are in the file
      (an export of an artifact): they are dealt and matched again from the same seed, which gives the same controls.
    - Deltas and ranks without controls stay what they are.
    - Anything else is *paired*: a row whose X_control is a control row of its context is paired with that row; any other
      distinct X_control becomes a control row of its own. Nothing can then be held back for truth, so that all its
      contexts are marked `shared-controls`. A group mean given as X_control thus stands as the one control of its group.
    """
    refuse_existing(out, kind="dataset")
    simple = Simple(source)
    report = Report()
    x_kind = _x_kind(options, simple)
    table = read_rows(simple.obs, _with_metadata(options, simple), simple.genes, report)
    if table is not None:
        _check_values(simple, report)
    report.refuse(source)
    if table is None:
        raise AssertionError("a missing table is a fault")
    told = simple.metadata.get("matching")
    matching = None if told is None else Matching.read(told, where=source / "meta.json")
    signature = x_kind in SIGNATURES and not table.rows.is_control.any()
    rule: MatchingRule = matching.rule if matching else "none" if signature else "paired"
    added, pairs = _pair(simple, table.rows) if rule == "paired" else (_no_rows(), None)
    rows = _with_controls(table.rows, added)
    order = rows.order()
    place = np.empty(len(order), np.int64)
    place[order] = np.arange(len(order))
    with build_dataset(
        out,
        name=options.name or simple.metadata.get("name") or out.name,
        title=options.title or simple.metadata.get("title", ""),
        genes=simple.genes,
        rows=rows.take(order),
        perturbations=table.targets,
        unit=options.unit if options.unit != "auto" else simple.metadata.get("unit", "cell"),
        x_kind=x_kind,
        matching=rule,
        paired=None if pairs is None else place[pairs[order]],
        preprocessing=_preprocessing(simple, x_kind),
        source=_source(simple, options),
        notes=_notes(report, added, simple),
        seed=matching.seed if matching else options.seed,
    ) as arrays:
        _write(simple, arrays, place, added, progress)
    return out


def _write(
    simple: Simple,
    arrays: Arrays,
    place: NDArray[np.int64],
    added: NDArray[np.int64],
    progress: Progress | None,
) -> None:
    n_rows = len(place) - len(added)
    for start, block in simple.npz.blocks("X_pert"):
        arrays.X[place[start : start + len(block)]] = block
        if progress:
            progress(start + len(block), n_rows, "write")
    for start, block in simple.npz.blocks("X_control"):
        first, last = np.searchsorted(added, [start, start + len(block)])
        arrays.X[place[n_rows + first : n_rows + last]] = block[added[first:last] - start]


def _pair(simple: Simple, rows: Rows) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows whose X_control becomes a control row, and for each row, old and new, its control row."""
    of_content: dict[tuple[int, bytes], int] = {}
    for start, block in simple.npz.blocks("X_pert"):
        for row in np.flatnonzero(rows.is_control[start : start + len(block)]):
            of_content.setdefault(
                (int(rows.context.codes[start + row]), _content(block[row])), start + int(row)
            )
    added: list[int] = []
    pairs = np.arange(len(rows.is_control))
    for start, block in simple.npz.blocks("X_control"):
        for row in np.flatnonzero(~rows.is_control[start : start + len(block)]):
            key = (int(rows.context.codes[start + row]), _content(block[row]))
            if key not in of_content:
                of_content[key] = len(pairs) + len(added)
                added.append(start + int(row))
            pairs[start + row] = of_content[key]
    return np.array(added, np.int64), np.concatenate([pairs, len(pairs) + np.arange(len(added))])


def _content(values: NDArray[Any]) -> bytes:
    return hashlib.blake2b((values.astype("<f4") + 0.0).tobytes(), digest_size=16).digest()


def _with_controls(rows: Rows, added: NDArray[np.int64]) -> Rows:
    """The rows, then one control row for each added one, in its context and batch, with its covariates."""
    if not len(added):
        return rows
    of_added = rows.take(added)
    ids = [f"control of {name}" for name in of_added.cell_ids.to_pylist()]
    controls = replace(
        of_added,
        pert=Labels(np.zeros(len(added), np.int32), ("control",)),
        is_control=np.ones(len(added), bool),
        cell_ids=pa.array(ids, pa.string()),
    )
    return Rows.join([rows, controls])


def _no_rows() -> NDArray[np.int64]:
    return np.zeros(0, np.int64)


def _check_values(simple: Simple, report: Report) -> None:
    """Every value is finite, and delta is what it says."""
    parts = (simple.npz.blocks(name) for name in ("X_control", "X_pert", "delta"))
    wrong: list[int] = []
    lost = 0
    for (start, control), (_, pert), (_, delta) in zip(*parts, strict=True):
        gap = np.abs(pert.astype(np.float64) - control - delta)
        scale = 1 + np.abs(pert) + np.abs(control)
        bad = ~np.isfinite(gap)
        lost += int(bad.sum())
        wrong += (start + np.flatnonzero(((gap > TOLERANCE * scale) & ~bad).any(axis=1))).tolist()
    if lost:
        report.fault(f"{lost} values are NaN or infinite")
    if wrong:
        report.fault(
            f"delta is not X_pert − X_control in {len(wrong)} rows ({examples(wrong[:3])})",
            "write delta again",
        )


def _with_metadata(options: SimpleOptions, simple: Simple) -> SimpleOptions:
    """The options, with what an export of an artifact says of its table."""
    told: dict[str, Any] = {}
    if "pert_genes" in simple.obs.names and options.perturbation_kind == "auto":
        genes = simple.obs["pert_genes"]
        any_gene = isinstance(genes, pa.Array) and any(genes.to_pylist())
        told = {"perturbation_kind": "gene" if any_gene else "other"}
        told |= {} if any_gene or options.combo_delimiter else {"combo_delimiter": ""}
    if options.intervention is None and "covariates" in simple.metadata:
        cards = simple.metadata["covariates"]
        told |= {
            "covariates": list(cards),
            "intervention": [name for name in cards if cards[name]["intervention"]],
        }
    return options.model_copy(update=told)


def _preprocessing(simple: Simple, x_kind: XKind) -> Preprocessing:
    told = simple.metadata.get("preprocessing")
    if isinstance(told, dict):
        return Preprocessing.read(told, where=simple.folder / "meta.json")
    return Preprocessing(found=x_kind, steps=[], gene_space="all genes of the source")


def _source(simple: Simple, options: SimpleOptions) -> Source:
    told = simple.metadata.get("source")
    if isinstance(told, dict) and not (options.url or options.license or options.citation):
        return Source.read(told, where=simple.folder / "meta.json")
    return Source(
        url=options.url,
        license=options.license,
        citation=options.citation,
        sha256=file_hash(simple.folder / "data.npz"),
        card=options.card,
    )


def _notes(report: Report, added: NDArray[np.int64], simple: Simple) -> list[str]:
    notes = list(simple.metadata.get("notes") or []) if "matching" in simple.metadata else list(report.notes)
    if len(added):
        notes.append(f"{len(added)} control rows are made from distinct X_control profiles")
    return notes


def _x_kind(options: SimpleOptions, simple: Simple) -> XKind:
    if options.x_kind != "auto":
        return options.x_kind
    told = simple.metadata.get("x_kind", "log_normalised")
    for kind in get_args(XKind):
        if told == kind:
            return kind  # type: ignore[no-any-return]
    raise HarnessError(
        "unknown x_kind in metadata",
        where=simple.folder / "meta.json",
        got=repr(told),
        expected=", ".join(get_args(XKind)),
        mend="say the option x_kind",
    )


def _genes(var: Any) -> list[str]:
    if isinstance(var, dict):
        usual = [name for name in ("gene", "gene_name", "gene_symbol", "index", "genes") if name in var]
        var = var[usual[0] if usual else next(iter(var), "")] if var else []
    return [str(next(iter(gene.values())) if isinstance(gene, dict) else gene) for gene in var]


class SimpleImporter:
    """`data.npz` and `meta.json`."""

    name = "simple"
    description = (
        "a folder with data.npz (X_control, X_pert, delta, obs_idx) and meta.json (obs, var, metadata)"
    )
    options = SimpleOptions

    def run(self, source: Path, out: Path, options: SimpleOptions, progress: Progress | None = None) -> Path:
        """Import as a new artifact."""
        return import_simple(source, out, options, progress=progress)


IMPORTER = SimpleImporter()

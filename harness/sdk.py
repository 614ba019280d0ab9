"""The submission's side of the wall: read a task folder, write predictions. One file; numpy and the standard library.

    from harness.sdk import Predictions, load_task

    task = load_task()
    mean = ...                                  # [query rows, genes]: predicted expression − the row's own control
    Predictions(mean, var).save()

A copy lies in every task folder, so that any image with Python ≥ 3.9 and numpy can import it from there.
`python -m harness.sdk MODULE:OBJECT --task DIR --output DIR` runs a Python submission; its exit codes are `EXIT_*`.
"""

from __future__ import annotations

import argparse
import importlib
import inspect
import json
import os
import sys
import traceback
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

EXIT_ERROR = 1
"""The submission raised; its traceback is on standard error."""
EXIT_MISSING_PACKAGE = 69
"""The submission imports a package that is not installed here."""
EXIT_OUT_OF_MEMORY = 137
"""Memory ran out, as if the kernel had ended the process."""

_AXES = ("context", "perturbation", "combination", "condition")
_BLOCK_ROWS = 8192


class SdkError(Exception):
    """A task folder that cannot be read or predictions that would be refused, with what to do about it."""


class Condition(NamedTuple):
    """What was done to a group of rows, and to which cells."""

    context: str
    pert: str
    genes: tuple[str, ...]
    """The perturbed genes; empty where there are none (drugs) or none are known."""
    covariates: tuple[str, ...] = ()
    """Values of the task's covariates (dose, time, …), as text."""


class Conditions:
    """The distinct conditions of a table, in name order, and the condition of each row."""

    def __init__(self, table: list[Condition], of_row: NDArray[np.int64]) -> None:
        self.table = table
        self.of_row = of_row  # [rows]; −1 for controls

    def __len__(self) -> int:
        return len(self.table)

    def rows(self, index: int) -> NDArray[np.int64]:
        """The rows of one condition."""
        return np.flatnonzero(self.of_row == index)


@dataclass(frozen=True)
class Table:
    """Rows with expression and what is known of them."""

    X: NDArray[np.float32]  # [rows, genes], memory-mapped
    obs: dict[str, NDArray[Any]]
    """One column per name: text as Python strings, `row` and `control_row` as integers, `is_control` as booleans."""
    genes: list[str]
    counts: NDArray[Any] | None
    obsm: dict[str, NDArray[np.float32]]

    def __len__(self) -> int:
        return len(self.X)

    def to_anndata(self) -> Any:
        """The table as an AnnData of whichever anndata version is installed here; reads X into memory."""
        import anndata

        table = anndata.AnnData(X=np.array(self.X), obs=dict(self.obs))
        table.var_names = self.genes
        if self.counts is not None:
            table.layers["counts"] = np.array(self.counts)
        for name, array in self.obsm.items():
            table.obsm[name] = np.array(array)
        return table


class Graph:
    """A weighted gene graph in CSR parts, read when it is first used; row i holds the weights of gene i's neighbours."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @cached_property
    def parts(self) -> dict[str, NDArray[Any]]:
        with np.load(self.path, allow_pickle=False) as parts:
            found = {name: parts[name] for name in parts.files}
        if "adjacency" in found:
            rows, found["indices"] = np.nonzero(found["adjacency"])
            found["data"] = found["adjacency"][rows, found["indices"]].astype(np.float32)
            found["indptr"] = np.searchsorted(rows, np.arange(len(found.pop("adjacency")) + 1))
        return found

    @property
    def indptr(self) -> NDArray[Any]:
        return self.parts["indptr"]

    @property
    def indices(self) -> NDArray[Any]:
        return self.parts["indices"]

    @property
    def data(self) -> NDArray[np.float32]:
        return self.parts["data"]

    @property
    def genes(self) -> list[str]:
        return [str(gene) for gene in self.parts["genes"]]

    def dense(self) -> NDArray[np.float32]:
        """The adjacency matrix. [genes, genes]"""
        n = len(self.indptr) - 1
        matrix = np.zeros((n, n), np.float32)
        matrix[np.repeat(np.arange(n), np.diff(self.indptr)), self.indices] = self.data
        return matrix


class Task:
    """A task folder: what may be learned from, and what is asked for."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        try:
            card = json.loads((folder / "task.json").read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise SdkError(f"no task here: {folder / 'task.json'}: {error}") from None
        self.card: dict[str, Any] = card
        self.genes: list[str] = card["genes"]
        self.eval_split: str = card["eval_split"]
        self.control_label: str = card["control_label"]
        self.graphs = {
            name: Graph(folder / graph["file"]) for name, graph in sorted(card.get("graphs", {}).items())
        }
        self.seed = int(os.environ.get("HARNESS_SEED") or 0)
        self.params: dict[str, Any] = json.loads(os.environ.get("HARNESS_PARAMS") or "{}")

    @cached_property
    def train(self) -> Table:
        return _read_table(self.folder, "train", self.card)

    @cached_property
    def query(self) -> Table:
        return _read_table(self.folder, "query", self.card)

    @cached_property
    def gene_index(self) -> dict[str, int]:
        return {gene: i for i, gene in enumerate(self.genes)}

    @cached_property
    def perturbed_rows(self) -> NDArray[np.int64]:
        """The labelled training rows that are no controls."""
        return np.flatnonzero(~self.train.obs["is_control"])

    def train_delta(self, rows: NDArray[Any] | None = None) -> NDArray[np.float32]:
        """Expression minus that of the matched control, of some training rows or of all perturbed ones. [rows, genes]"""
        rows = self.perturbed_rows if rows is None else np.asarray(rows)
        delta = np.array(self.train.X[rows], np.float32)
        matched = self.train.obs["control_row"][rows]
        has = np.flatnonzero(matched >= 0)  # a data set of deltas has no controls to subtract
        for start in range(0, len(has), _BLOCK_ROWS):
            block = has[start : start + _BLOCK_ROWS]
            delta[block] -= self.train.X[matched[block]]
        return delta

    def conditions(self, which: str = "query") -> Conditions:
        """The distinct (context, perturbation, covariates) of the query, or of the perturbed `"train"` rows."""
        obs = (self.train if which == "train" else self.query).obs
        asked = self.perturbed_rows if which == "train" else np.arange(len(obs["pert_id"]))
        names = ["context_id", "pert_id", "pert_genes", *self.card.get("covariates", [])]
        keys = list(zip(*(obs[name][asked].tolist() for name in names)))
        table = sorted(set(keys))
        index = {key: i for i, key in enumerate(table)}
        of_row = np.full(len(obs["pert_id"]), -1, np.int64)
        of_row[asked] = np.fromiter((index[key] for key in keys), np.int64, len(keys))
        named = [
            Condition(context, pert, gene_set(genes), tuple(rest)) for context, pert, genes, *rest in table
        ]
        return Conditions(named, of_row)

    def mask(self, gene_sets: Sequence[Sequence[str]]) -> NDArray[np.float32]:
        """1 where a gene is in the set; genes that the task does not hold are left out. [sets, genes]"""
        mask = np.zeros((len(gene_sets), len(self.genes)), np.float32)
        for i, genes in enumerate(gene_sets):
            mask[i, [self.gene_index[gene] for gene in genes if gene in self.gene_index]] = 1.0
        return mask

    def inner_split(
        self, axis: str = "context", fraction: float = 0.2
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Cut the perturbed training rows in two, (fit rows, validation rows), so that the second part is new on an axis.

        Whole contexts, perturbations, combinations or conditions are held out, drawn by `task.seed`. A combination
        that shares a gene with a held-out single perturbation goes with it.
        """
        if axis not in _AXES:
            raise SdkError(f"unknown axis {axis!r}; one of {', '.join(_AXES)}")
        found = self.conditions("train")
        unit = [_unit(condition, axis) for condition in found.table]
        in_order = np.unique(found.of_row[self.perturbed_rows], return_index=True)[1].argsort()
        units = list(dict.fromkeys(unit[i] for i in in_order if unit[i]))  # by row: other names, same split
        if len(units) < 2:
            raise SdkError(f"training has {len(units)} of axis {axis!r}: use another, e.g. 'condition'")
        n_held = min(len(units) - 1, max(1, round(fraction * len(units))))
        drawn = np.random.default_rng([self.seed, _AXES.index(axis)]).permutation(len(units))[:n_held]
        held = {units[i] for i in drawn}
        out = np.array([u in held for u in unit])
        if axis == "perturbation":
            singles = {c.genes[0] for c, is_out in zip(found.table, out) if is_out and len(c.genes) == 1}
            out |= np.array([not singles.isdisjoint(c.genes) for c in found.table])
        is_held = out[found.of_row[self.perturbed_rows]]
        return self.perturbed_rows[~is_held], self.perturbed_rows[is_held]

    def progress(self, step: int, of: int, message: str = "", **metrics: float) -> None:
        """Tell the harness how far the work is; it shows a progress bar."""
        finite = {name: float(value) if np.isfinite(value) else None for name, value in metrics.items()}
        line = json.dumps({"step": int(step), "of": int(of), "message": str(message), "metrics": finite})
        output = os.environ.get("HARNESS_OUTPUT")
        if output:
            with open(os.path.join(output, "progress.jsonl"), "a", encoding="utf-8") as handle:
                handle.write(line + "\n")


@dataclass
class Predictions:
    """Predicted deltas of the query rows: what `predictions.npz` holds."""

    mean: NDArray[Any]  # [Q, G]
    var: NDArray[Any] | None = None  # [Q, G]
    idx: NDArray[Any] | None = None  # [Q], the `row` of each prediction; by default all rows in order
    epistemic: NDArray[Any] | None = None  # [Q, G]
    supported: NDArray[Any] | None = None  # [Q]

    @classmethod
    def from_conditions(cls, task: Task, mean: NDArray[Any], **others: NDArray[Any] | None) -> Predictions:
        """One prediction (mean, var, epistemic, supported) per condition of `task.conditions()`, for each of its rows."""
        conditions = task.conditions()
        rows = {}
        for name, part in {"mean": mean, **others}.items():
            if part is not None and len(part) != len(conditions):
                raise SdkError(f"{name} has {len(part)} entries for {len(conditions)} query conditions")
            dtype = np.uint8 if name == "supported" else np.float32
            rows[name] = None if part is None else np.asarray(part).astype(dtype)[conditions.of_row]
        return cls(idx=task.query.obs["row"], **rows)  # type: ignore[arg-type]

    def save(self, folder: os.PathLike[str] | None = None, task: Task | None = None) -> Path:
        """Check everything, then write `predictions.npz` in one step to a folder (default: `HARNESS_OUTPUT`)."""
        target = folder or os.environ.get("HARNESS_OUTPUT")
        if not target:
            raise SdkError("no output folder: pass one, or set HARNESS_OUTPUT")
        task = task or load_task()
        members = _checked(self, task)
        path = Path(target) / "predictions.npz"
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(f".predictions.{os.getpid()}.partial")
        try:
            with open(partial, "wb") as handle:
                np.savez(handle, **members)  # type: ignore[arg-type]  # uncompressed: it can be memory-mapped
                handle.flush()
                os.fsync(handle.fileno())
            os.replace(partial, path)
        finally:
            if partial.exists():
                partial.unlink()
        return path


def load_task(path: os.PathLike[str] | None = None) -> Task:
    """The task in a folder (default: `HARNESS_TASK`)."""
    told = path or os.environ.get("HARNESS_TASK")
    if not told:
        raise SdkError("no task folder: pass one, or set HARNESS_TASK")
    return Task(Path(told))


def gene_set(text: str) -> tuple[str, ...]:
    """The genes of a `pert_genes` cell: `"A+B"` is two genes, `""` none."""
    return tuple(text.split("+")) if text else ()


def _unit(condition: Condition, axis: str) -> Any:
    """What is held out as a whole; None: never held out."""
    if axis == "combination":
        return condition.pert if len(condition.genes) > 1 else None
    return {"context": condition.context, "perturbation": condition.pert, "condition": condition}[axis]


def _read_table(folder: Path, name: str, card: dict[str, Any]) -> Table:
    if card.get("input_format") == "h5ad":
        return _read_h5ad(folder / f"{name}.h5ad", card["genes"])
    part = folder / name
    X = np.load(part / "X.npy", mmap_mode="r")
    counts = np.load(part / "counts.npy", mmap_mode="r") if (part / "counts.npy").exists() else None
    obsm = {file.stem: np.load(file, mmap_mode="r") for file in sorted((part / "obsm").glob("*.npy"))}
    obs = _read_tsv(part / "obs.tsv")
    if X.shape != (len(obs["row"]), len(card["genes"])):
        raise SdkError(
            f"{part}: X is {X.shape}, but there are {len(obs['row'])} rows and {len(card['genes'])} genes"
        )
    return Table(X, obs, card["genes"], counts, obsm)


def _read_h5ad(path: Path, genes: list[str]) -> Table:
    import anndata

    table = anndata.read_h5ad(path)
    obs = {
        str(name): _typed(str(name), table.obs[name].astype(str).to_numpy(object))
        for name in table.obs.columns
    }
    obsm = {str(name): np.asarray(table.obsm[name], np.float32) for name in table.obsm}
    return Table(np.asarray(table.X, np.float32), obs, genes, table.layers.get("counts", None), obsm)


class _Levels(dict[str, int]):
    """Text → code; a new text gets the next code."""

    def __missing__(self, key: str) -> int:
        self[key] = code = len(self)
        return code


def _read_tsv(path: Path) -> dict[str, NDArray[Any]]:
    """Columns by name. Equal texts share one Python string, so that a million rows stay small."""
    with open(path, encoding="utf-8", newline="\n") as handle:
        names = handle.readline().rstrip("\n").split("\t")
        levels = [_Levels() for _ in names]
        codes: list[list[NDArray[np.int64]]] = [[] for _ in names]
        while True:
            lines = handle.readlines(1 << 22)
            if not lines:
                break
            cells = "".join(lines).rstrip("\n").replace("\n", "\t").split("\t")
            if len(cells) != len(lines) * len(names):
                raise SdkError(f"{path}: not every line has {len(names)} cells")
            for i, level in enumerate(levels):
                codes[i].append(
                    np.fromiter(map(level.__getitem__, cells[i :: len(names)]), np.int64, len(lines))
                )
    columns = {}
    for name, level, parts in zip(names, levels, codes):
        code = np.concatenate(parts) if parts else np.zeros(0, np.int64)
        columns[name] = _typed(name, np.array(list(level), object))[code]
    return columns


def _typed(name: str, texts: NDArray[Any]) -> NDArray[Any]:
    if name in ("row", "control_row"):
        return texts.astype(np.int64)
    if name == "is_control":
        return np.isin(texts.astype(str), ("1", "True"))
    return texts


def _checked(given: Predictions, task: Task) -> dict[str, NDArray[Any]]:
    """The members of `predictions.npz`, or one error that names every fault."""
    rows = task.query.obs["row"]
    shape = (len(rows), len(task.genes))
    idx = rows if given.idx is None else np.asarray(given.idx)
    members: dict[str, NDArray[Any]] = {}
    faults = []
    if idx.shape != rows.shape or not np.array_equal(np.sort(idx), np.sort(rows)):
        faults.append(f"idx must hold each of the {len(rows)} query rows exactly once")
    for name in ("mean", "var", "epistemic"):
        value = getattr(given, name)
        if value is None:
            continue
        array = np.asarray(value)
        if array.shape != shape or array.dtype.kind not in "fiu":
            faults.append(f"{name} is {array.dtype} {array.shape}, expected numbers {shape}")
            continue
        members[name] = array = np.ascontiguousarray(array, np.float32)
        faults += _bad_values(name, array, np.inf if name == "mean" else 0.0)
    if given.mean is None:
        faults.append("mean is missing")
    if given.epistemic is not None and given.var is None:
        faults.append("epistemic is a part of var, and var is missing")
    if "epistemic" in members and "var" in members and (members["epistemic"] > members["var"]).any():
        faults.append("epistemic is a part of var, but exceeds it in places")
    if given.supported is not None:
        supported = np.asarray(given.supported)
        if supported.shape != rows.shape or not np.isin(supported, (0, 1, 2)).all():
            faults.append("supported must hold 0, 1 or 2 for each query row")
        members["supported"] = supported.astype(np.uint8)
    if faults:
        raise SdkError("these predictions would be refused:\n  " + "\n  ".join(faults))
    return {**members, "idx": idx.astype(np.int64)}


def _bad_values(name: str, array: NDArray[np.float32], below: float) -> list[str]:
    """What is wrong with the values: not finite, or lower than −`below`."""
    broken = negative = 0
    first = ""
    for start in range(0, len(array), _BLOCK_ROWS):
        block = array[start : start + _BLOCK_ROWS]
        bad = ~np.isfinite(block)
        broken += int(bad.sum())
        negative += int((block < -below).sum())
        if bad.any() and not first:
            row, gene = np.argwhere(bad)[0]
            first = f", first at row {start + row}, gene {gene}"
    faults = [f"{name} has {broken} values that are NaN or infinite{first}"] if broken else []
    return faults + ([f"{name} has {negative} negative values"] if negative else [])


def main(arguments: list[str] | None = None) -> int:
    """Run `MODULE:OBJECT` of the current folder on a task and save what it predicts."""
    parser = argparse.ArgumentParser(
        prog="python -m harness.sdk", description="Run a Python submission on a task."
    )
    parser.add_argument(
        "object", metavar="MODULE:OBJECT", help="an object with predict(task), a class, or a function"
    )
    parser.add_argument("--task", default=os.environ.get("HARNESS_TASK"), help="task folder")
    parser.add_argument(
        "--output", default=os.environ.get("HARNESS_OUTPUT"), help="folder for the predictions"
    )
    told = parser.parse_args(arguments)
    if not told.task or not told.output:
        parser.error("--task and --output are needed (or HARNESS_TASK and HARNESS_OUTPUT)")
    os.environ["HARNESS_TASK"], os.environ["HARNESS_OUTPUT"] = str(told.task), str(told.output)
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    module, _, name = told.object.partition(":")
    try:
        return _run(module, name, Path(told.output))
    except Exception as error:
        traceback.print_exc()
        if isinstance(error, MemoryError):
            return EXIT_OUT_OF_MEMORY
        package = (getattr(error, "name", None) or "").partition(".")[0]
        if not isinstance(error, ModuleNotFoundError) or package == module.partition(".")[0]:
            return EXIT_ERROR
        print(f"package {package!r} is not installed", file=sys.stderr)
        return EXIT_MISSING_PACKAGE


def _run(module: str, name: str, output: Path) -> int:
    target = getattr(importlib.import_module(module), name)
    if inspect.isclass(target):
        target = target()
    predict = getattr(target, "predict", target)
    task = load_task()
    result = predict(task)
    if result is not None:
        result.save(output, task)
    elif not (output / "predictions.npz").exists():
        raise SdkError(f"{module}:{name} returned nothing and saved nothing")
    return 0


if __name__ == "__main__":
    from harness.sdk import main as run  # the module that the submission imports, not a second copy of it

    sys.exit(run())

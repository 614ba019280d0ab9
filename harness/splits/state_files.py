"""Whether the `.h5ad` files that STATE is to train on hold a split's cells: labels, their kind, genes, numbers of cells."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import h5py

from harness.datasets.dataset import PerturbDataset
from harness.datasets.importers.h5_table import H5Table, as_text
from harness.errors import HarnessError

SUFFIXES = (".h5ad", ".h5")


def check_files(place: Path, dataset: PerturbDataset, *, pert_column: str, line_column: str) -> None:
    """Refuse a file, or a folder of files, whose cells are not those of the dataset; STATE itself checks nothing."""
    paths = sorted(path for path in place.glob("*") if path.suffix in SUFFIXES) if place.is_dir() else [place]
    if not paths or not all(path.is_file() for path in paths):
        raise HarnessError(
            "no file for STATE to train on", where=place, expected="an .h5ad file, or a folder of such files"
        )
    cells: Counter[tuple[str, str]] = Counter()
    for path in paths:
        with h5py.File(path) as file:
            for column in (pert_column, line_column):
                _require_categories(file, column, path)
            obs = H5Table(file, "obs")
            named = (as_text(obs[column]).to_pylist() for column in (line_column, pert_column))
            cells.update((str(line), str(pert)) for line, pert in zip(*named, strict=True))
            genes = [str(gene) for gene in H5Table(file, "var").index().to_pylist()]
            _require_genes(genes, dataset.genes, path)
    ours = Counter(zip(dataset.obs.context.names(), dataset.obs.pert.names(), strict=True))
    _require_equal(cells, ours, place)


def _require_categories(file: h5py.File, column: str, path: Path) -> None:
    node = file["obs"].get(column) if isinstance(file["obs"], h5py.Group) else None
    if node is None or not isinstance(node, h5py.Group) or "categories" not in node:
        raise HarnessError(
            f"obs column {column!r} is {'not there' if node is None else 'not categorical'}",
            where=path,
            expected="a categorical column; STATE reads its categories straight from the file",
            mend="name it with --pert-col and --line-col, and write it as a category (harness data export does)",
        )


def _require_genes(found: list[str], ours: list[str], path: Path) -> None:
    if found == ours:
        return
    at = next(
        (i for i, (a, b) in enumerate(zip(found, ours, strict=False)) if a != b), min(len(found), len(ours))
    )
    raise HarnessError(
        "the file has other genes than the dataset, or the same in another order",
        where=path,
        got=f"{len(found)} genes; the first that differs is number {at}: {_at(found, at)}, here {_at(ours, at)}",
        expected=f"the {len(ours)} genes of the dataset in its order: predictions of STATE bear no names",
    )


def _require_equal(found: Counter[tuple[str, str]], ours: Counter[tuple[str, str]], place: Path) -> None:
    if found == ours:
        return
    lacking, foreign = _named(ours.keys() - found.keys()), _named(found.keys() - ours.keys())
    other = _named(key for key in found.keys() & ours.keys() if found[key] != ours[key])
    parts = (
        ("not in the file", lacking),
        ("not in the dataset", foreign),
        ("with another number of cells", other),
    )
    raise HarnessError(
        "the file holds other cells than the dataset, and STATE would train on what no role was given",
        where=place,
        got="; ".join(f"{word}: {names}" for word, names in parts if names),
        expected="each line and perturbation of the dataset, with as many cells",
    )


def _named(keys: Iterable[tuple[str, str]]) -> str:
    names = sorted(f"{line} / {pert}" for line, pert in keys)
    return ", ".join(names[:4]) + (f", … {len(names)} in all" if len(names) > 4 else "")


def _at(names: list[str], i: int) -> str:
    return repr(names[i]) if i < len(names) else "nothing"

"""Import a large sparse h5ad file and measure the memory that the import itself holds (RssAnon, not the page cache).

python benchmarks/import_million.py --cells 1000000 --genes 2000 --folder /tmp/million
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import h5py
import numpy as np

if TYPE_CHECKING:
    from benchmarks.job import Row

NAME = "import"
TITLE = "Import of a sparse h5ad file, 1,000,000 cells × 2,000 genes"
QUICK_CELLS = 20_000
SOURCE = "source.h5ad"
N_CONTEXTS, N_PERTURBATIONS, N_BATCHES = 10, 200, 20
GENES_PER_VALUE = 20  # one non-zero value in each run of 20 genes: 5 %
CHUNK_ROWS = 20_000
POLL_S = 0.02


def write_sparse_h5ad(path: Path, n_cells: int, n_genes: int, seed: int = 0) -> None:
    """A CSR file of counts with 5 % non-zero values, written in chunks."""
    rng = np.random.default_rng(seed)
    per_row = n_genes // GENES_PER_VALUE
    with h5py.File(path, "w") as file:
        X = file.create_group("X")
        X.attrs["encoding-type"], X.attrs["encoding-version"] = "csr_matrix", "0.1.0"
        X.attrs["shape"] = np.array([n_cells, n_genes])
        n_values = n_cells * per_row
        data = X.create_dataset("data", (n_values,), "f4", chunks=(min(n_values, 1 << 18),))
        indices = X.create_dataset("indices", (n_values,), "i4", chunks=(min(n_values, 1 << 18),))
        X["indptr"] = np.arange(n_cells + 1, dtype=np.int64) * per_row
        for start in range(0, n_cells, CHUNK_ROWS):
            rows = min(CHUNK_ROWS, n_cells - start)
            place = slice(start * per_row, (start + rows) * per_row)
            runs = np.arange(per_row, dtype=np.int32) * GENES_PER_VALUE
            indices[place] = (runs + rng.integers(0, GENES_PER_VALUE, (rows, per_row), np.int32)).ravel()
            data[place] = rng.geometric(0.4, rows * per_row).astype(np.float32)
        perturbations = ["control", *(f"G{i}" for i in range(N_PERTURBATIONS))]
        pert = rng.integers(1, len(perturbations), n_cells)
        pert[rng.random(n_cells) < 0.1] = 0
        obs = file.create_group("obs")
        _categorical(obs, "perturbation", pert, perturbations)
        _categorical(
            obs, "cell_line", rng.integers(0, N_CONTEXTS, n_cells), [f"line{i}" for i in range(N_CONTEXTS)]
        )
        _categorical(
            obs, "batch", rng.integers(0, N_BATCHES, n_cells), [f"batch{i}" for i in range(N_BATCHES)]
        )
        _index(obs, [f"cell{i}" for i in range(n_cells)])
        _index(file.create_group("var"), [f"G{i}" for i in range(n_genes)])


def peak_of_import(source: Path, out: Path) -> dict[str, float]:
    """Import in this process; peak and base of RssAnon in MB, and the seconds."""
    from harness.datasets.importers.h5ad import H5adOptions, import_h5ad

    base = peak = _rss_anon()
    done = threading.Event()

    def watch() -> None:
        nonlocal peak
        while not done.wait(POLL_S):
            peak = max(peak, _rss_anon())

    watcher = threading.Thread(target=watch)
    watcher.start()
    start = time.perf_counter()
    try:
        import_h5ad(source, out, H5adOptions())
    finally:
        done.set()
        watcher.join()
    return {"seconds": time.perf_counter() - start, "base_mb": base / 1e6, "peak_mb": peak / 1e6}


def run(quick: bool) -> list[Row]:
    """Write the file, import it in a process of its own, remove both."""
    from benchmarks.job import Row
    from benchmarks.measure import measure

    n_cells = QUICK_CELLS if quick else 1_000_000
    with tempfile.TemporaryDirectory(prefix="import-") as scratch:
        folder = Path(scratch)
        write_sparse_h5ad(folder / SOURCE, n_cells, 2_000)
        cost = measure([sys.executable, __file__, "--child", "--folder", folder])
    note = f"anonymous memory {cost.report['peak_mb'] - cost.report['base_mb']:.0f} MB above the interpreter"
    return [Row.of(f"{n_cells} cells", cost, note=note)]


def main() -> None:
    """Write, import in a child, report, remove."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cells", type=int, default=1_000_000)
    parser.add_argument("--genes", type=int, default=2_000)
    parser.add_argument(
        "--folder", type=Path, required=True, help="needs 13 GB for a million cells × 2,000 genes"
    )
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    told = parser.parse_args()
    source, out = told.folder / SOURCE, told.folder / "artifact"
    if told.child:
        print(json.dumps(peak_of_import(source, out)))
        return
    told.folder.mkdir(parents=True, exist_ok=True)
    write_sparse_h5ad(source, told.cells, told.genes)
    command = [sys.executable, __file__, "--child", "--folder", str(told.folder)]
    figures = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    size = sum(file.stat().st_size for file in out.rglob("*") if file.is_file())
    figures |= {
        "cells": told.cells,
        "genes": told.genes,
        "source_mb": source.stat().st_size / 1e6,
        "artifact_mb": size / 1e6,
    }
    print(json.dumps({key: round(value, 1) for key, value in figures.items()}))
    shutil.rmtree(out)
    source.unlink()


def _categorical(obs: h5py.Group, name: str, codes: np.ndarray, categories: list[str]) -> None:
    group = obs.create_group(name)
    group.attrs["encoding-type"], group.attrs["encoding-version"] = "categorical", "0.2.0"
    group["codes"] = codes.astype(np.int16)
    group.create_dataset("categories", data=categories, dtype=h5py.string_dtype())


def _index(group: h5py.Group, names: list[str]) -> None:
    group.attrs["_index"] = "_index"
    group.create_dataset("_index", data=names, dtype=h5py.string_dtype())


def _rss_anon() -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("RssAnon"):
            return int(line.split()[1]) * 1024
    raise RuntimeError("this kernel does not tell RssAnon")


if __name__ == "__main__":
    main()

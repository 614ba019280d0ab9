"""The other form of a task's tables: `train.h5ad` and `query.h5ad`, for submissions that ask for it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.datasets.dataset import PerturbDataset
from harness.datasets.obs import Labels
from harness.tasks.tables import Progress, Table, arrays_of, blocks


def write_h5ad(path: Path, dataset: PerturbDataset, table: Table, progress: Progress | None) -> None:
    """Write a table as AnnData: frames by anndata, the large arrays by block as its file format describes them."""
    import anndata
    import h5py
    import pandas as pd

    frame = pd.DataFrame({name: _column(column) for name, column in table.columns.items()})
    frame.index = pd.Index([str(i) for i in range(len(table))])
    anndata.AnnData(obs=frame, var=pd.DataFrame(index=pd.Index(dataset.genes))).write_h5ad(path)
    with h5py.File(path, "r+") as file:
        for name, source in arrays_of(dataset).items():
            target = _array(file, _place(name), (len(table), source.shape[1]), source.dtype)
            for rows, block in blocks(source, table.rows, f"{path.name}:{name}", progress):
                target[rows] = block


def _column(column: Labels | NDArray[np.int64]) -> Any:
    import pandas as pd

    if not isinstance(column, Labels):
        return column
    used, codes = np.unique(column.codes, return_inverse=True)
    return pd.Categorical.from_codes(codes, categories=[column.levels[code] for code in used])


def _place(name: str) -> str:
    """Where a plain file's array stands in an AnnData file."""
    stem = name.removesuffix(".npy")
    return {"X": "X", "counts": "layers/counts"}.get(stem, stem)


def _array(file: Any, place: str, shape: tuple[int, int], dtype: np.dtype[Any]) -> Any:
    if place in file:
        del file[place]
    target = file.create_dataset(place, shape=shape, dtype=dtype, track_times=False)
    target.attrs["encoding-type"] = "array"
    target.attrs["encoding-version"] = "0.2.0"
    return target

"""scPerturb files: `perturbation` with `_` combinations, contexts by `cell_line` or `celltype`, `dose_value`."""

from __future__ import annotations

from typing import Any

from harness.datasets.importers.h5_table import H5Table
from harness.datasets.importers.layouts import LayoutImporter, present


def _layout(obs: H5Table) -> dict[str, Any]:
    return {
        "pert_column": "perturbation",
        "context_column": next(iter(present(obs, "cell_line", "celltype")), None),
        "control_label": "control",
        "combo_delimiter": "_",
    }


IMPORTER = LayoutImporter("scperturb", "scPerturb .h5ad: perturbation, cell_line or celltype, A_B", _layout)

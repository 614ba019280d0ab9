"""scPerturBench files: `perturbation` with `+` combinations, contexts by `celltype`, `dose`."""

from __future__ import annotations

from typing import Any

from harness.datasets.importers.h5_table import H5Table
from harness.datasets.importers.layouts import LayoutImporter, present


def _layout(obs: H5Table) -> dict[str, Any]:
    return {
        "pert_column": "perturbation",
        "context_column": next(iter(present(obs, "celltype", "cell_line")), None),
        "control_label": "control",
        "combo_delimiter": "+",
    }


IMPORTER = LayoutImporter("scperturbench", "scPerturBench .h5ad: perturbation, celltype, A+B", _layout)

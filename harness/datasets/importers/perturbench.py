"""PerturBench files: `condition` with `+` combinations, contexts by `cell_type` and `treatment`."""

from __future__ import annotations

from typing import Any

from harness.datasets.importers.h5_table import H5Table
from harness.datasets.importers.layouts import LayoutImporter, present


def _layout(obs: H5Table) -> dict[str, Any]:
    return {
        "pert_column": "condition",
        "context_column": present(obs, "cell_type", "treatment") or None,
        "control_label": "control",
        "combo_delimiter": "+",
    }


IMPORTER = LayoutImporter(
    "perturbench", "PerturBench .h5ad: condition, cell_type and treatment, A+B", _layout
)

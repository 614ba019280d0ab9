"""Parity of split import: official PerturBench split files over their cells, role by role and pair by pair."""

from __future__ import annotations

import csv
import json
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from harness.datasets.builder import Rows, build_dataset
from harness.datasets.dataset import PerturbDataset, open_dataset
from harness.datasets.meta import Preprocessing
from harness.datasets.obs import Labels
from harness.errors import HarnessError
from harness.parity.comparison import Comparison
from harness.parity.deviation import Deviation
from harness.splits.perturbench import import_perturbench
from harness.splits.split import Role, Split

PANEL = "splits"
PREFIX = "split_"
ROLES: tuple[Role, ...] = ("train", "val", "test")
GENES = ("G0", "G1", "G2")
Json = Mapping[str, Any]


def cases(folder: Path) -> list[Path]:
    """The split fixtures of a parity folder."""
    return sorted(folder.glob(f"{PREFIX}*.json"))


def check(case: Path) -> list[Deviation]:
    """Import `NAME.split.csv` over the cells of `NAME.obs.csv` and compare with what `NAME.json` says of it."""
    document = json.loads(case.read_text(encoding="utf-8"))
    if "index_sha256" not in document:
        raise HarnessError(
            "this is no split fixture",
            where=case,
            got=f"the keys {', '.join(sorted(document))}",
            expected="'index_sha256', with a hash per split",
        )
    cells = _Cells.read(case.with_suffix(".obs.csv"), document)
    with tempfile.TemporaryDirectory() as folder:
        dataset = cells.dataset(Path(folder) / "cells")
        split = import_perturbench(case.with_suffix(".split.csv"), dataset, within_conditions=True)
        found = _Imported.of(cells, dataset, split)
    return [_check(case.stem, name, found, document) for name in CHECKS]


@dataclass(frozen=True)
class _Cells:
    """The cells of a fixture, in the order of its table."""

    ids: list[str]
    perturbation: list[str]
    state: list[str]
    control: str

    @classmethod
    def read(cls, path: Path, document: Json) -> _Cells:
        with path.open(newline="", encoding="utf-8") as handle:
            rows = list(csv.DictReader(handle))
        return cls(
            [row["cell_id"] for row in rows],
            [row[document["perturbation_key"]] for row in rows],
            ["_".join(row[key] for key in document["covariate_keys"]) for row in rows],
            document["control_label"],
        )

    def dataset(self, path: Path) -> PerturbDataset:
        """The cells as an artifact; splits do not look at expression, which is noise."""
        n = len(self.ids)
        rows = Rows(
            pert=Labels.of(self.perturbation),
            context=Labels.of(self.state),
            batch=Labels.of(["batch"] * n),
            is_control=np.array([one == self.control for one in self.perturbation]),
            cell_ids=pa.array(self.ids),
        )
        rows = rows.take(rows.order())
        targets: dict[str, list[str]] = {name: [] for name in rows.pert.levels if name != self.control}
        how = Preprocessing(found="counts", steps=[], gene_space="all")
        with build_dataset(
            path, name="cells", genes=list(GENES), rows=rows, perturbations=targets, preprocessing=how
        ) as arrays:
            arrays.X[:] = np.random.default_rng(0).random((n, len(GENES)), np.float32)
        return open_dataset(path)


@dataclass(frozen=True)
class _Imported:
    """What the import made of a split file."""

    ids: dict[str, list[str]]
    """Role → cells, in the order of the table."""
    controls: dict[str, int]
    pairs: dict[str, list[list[str]]]
    """Role → (state, perturbation) without controls, sorted."""
    aside: int

    @classmethod
    def of(cls, cells: _Cells, dataset: PerturbDataset, split: Split) -> _Imported:
        chosen = {role: set(dataset.cell_ids()[split.rows(role)].tolist()) for role in ROLES}
        at = {role: [i for i, cell in enumerate(cells.ids) if cell in chosen[role]] for role in ROLES}
        pairs = {
            role: sorted(
                {
                    (cells.state[i], cells.perturbation[i])
                    for i in rows
                    if cells.perturbation[i] != cells.control
                }
            )
            for role, rows in at.items()
        }
        return cls(
            {role: [cells.ids[i] for i in rows] for role, rows in at.items()},
            {role: sum(cells.perturbation[i] == cells.control for i in rows) for role, rows in at.items()},
            {role: [list(pair) for pair in found] for role, found in pairs.items()},
            len(cells.ids) - sum(len(rows) for rows in at.values()),
        )


CHECKS = (
    "cells",
    "cells_per_split",
    "control_cells_per_split",
    "covariate_perturbation_pairs",
    "n_unassigned",
)


def _check(case: str, name: str, found: _Imported, document: Json) -> Deviation:
    """Counts per role, and whether a role's cells or pairs differ at all."""
    comparison = Comparison(case, name, 0.0, 1.0)
    if name == "n_unassigned":
        comparison.add(found.aside, document["n_unassigned"])
        return comparison.result()
    for role in ROLES:
        if name == "cells":
            same = sha256("\n".join(found.ids[role]).encode()).hexdigest() == document["index_sha256"][role]
            comparison.add(float(not same), 0.0)
        elif name == "cells_per_split":
            comparison.add(len(found.ids[role]), document["cells_per_split"].get(role, 0))
        elif name == "control_cells_per_split":
            comparison.add(found.controls[role], document["control_cells_per_split"].get(role, 0))
        else:
            told = sorted(document["covariate_perturbation_pairs"].get(role, []))
            comparison.add(float(found.pairs[role] != told), 0.0)
    return comparison.result()

"""The demo screen, shipped as integers so that its artifact has the same hash on every machine.

Random numbers and exponentials may differ from one numpy or processor to the next; the shipped counts do not. Everything
else in the artifact follows from them (`log_normalise` says why its bits are stable too). The file was made by

    python -m harness.datasets.synth.demo harness/datasets/presets/demo.npz
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import scipy.sparse as sp
from numpy.typing import NDArray

from harness.datasets.builder import Rows
from harness.datasets.graphs import GeneGraph
from harness.datasets.obs import Labels
from harness.datasets.progress import Progress
from harness.datasets.synth.artifact import write_screen
from harness.datasets.synth.cells import BLOCK_VALUES, count_blocks
from harness.datasets.synth.design import design, design_rows, numbered
from harness.datasets.synth.presets import DEMO
from harness.datasets.synth.spec import CONTROL
from harness.datasets.synth.world import make_world

DEMO_FILE = Path(__file__).parents[1] / "presets" / "demo.npz"


def make_demo(out: Path, *, progress: Progress | None = None) -> Path:
    """Make the demo artifact from the shipped counts, with its true graph beside it."""
    with np.load(DEMO_FILE, allow_pickle=False) as file:
        counts, context, pert, batch = (file[name] for name in ("counts", "context", "pert", "batch"))
        targets, edges = file["targets"].tolist(), file["edges"]
    genes = numbered("GENE", counts.shape[1], start=1)
    named = [[genes[gene] for gene in row if gene >= 0] for row in targets]
    levels = tuple("+".join(names) or CONTROL for names in named)
    rows = Rows(
        pert=Labels(pert.astype(np.int32), levels),
        context=Labels(context.astype(np.int32), numbered("C", int(context.max()) + 1, start=0)),
        batch=Labels(batch.astype(np.int32), numbered("b", int(batch.max()) + 1, start=1)),
        is_control=pert == levels.index(CONTROL),
        cell_ids=pa.array([f"cell{row:07d}" for row in range(len(counts))]),
    )
    return write_screen(
        DEMO,
        out,
        rows=rows,
        genes=genes,
        perturbations={level: names for level, names in zip(levels, named, strict=True) if names},
        blocks=_blocks(counts),
        graph=_graph(edges, genes),
        notes=[],
        progress=progress,
    )


def save_demo_file(path: Path) -> None:
    """Draw the demo screen once and write its integers."""
    plan = design(DEMO)
    rows, world = design_rows(DEMO, plan), make_world(DEMO, plan)
    blocks = [block for group in plan.groups for block in count_blocks(world, group)]
    targets = np.full((len(rows.pert.levels), 3), -1, np.int16)
    for code, level in enumerate(rows.pert.levels):
        genes = plan.perturbations.get(level, ())
        targets[code, : len(genes)] = genes
    np.savez_compressed(
        path,
        counts=np.concatenate(blocks),
        context=rows.context.codes.astype(np.uint8),
        pert=rows.pert.codes.astype(np.uint8),
        batch=rows.batch.codes.astype(np.uint8),
        targets=targets,
        edges=np.stack(world.graph.matrix().nonzero(), axis=1).astype(np.int16),
    )


def _blocks(counts: NDArray[Any]) -> list[NDArray[Any]]:
    step = max(1, BLOCK_VALUES // counts.shape[1])
    return [counts[start : start + step] for start in range(0, len(counts), step)]


def _graph(edges: NDArray[np.int16], genes: tuple[str, ...]) -> GeneGraph:
    weights = sp.csr_matrix((np.ones(len(edges)), (edges[:, 0], edges[:, 1])), shape=(len(genes), len(genes)))
    return GeneGraph.of(weights, genes, "external")


if __name__ == "__main__":
    save_demo_file(Path(sys.argv[1]))

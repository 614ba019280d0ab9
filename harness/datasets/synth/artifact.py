"""Writing a screen as a dataset artifact, group after group, with the true graph beside it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from harness.datasets.builder import Rows, build_dataset
from harness.datasets.graphs import GeneGraph, graphs_folder, save_graph
from harness.datasets.meta import Preprocessing, Source
from harness.datasets.progress import Progress
from harness.datasets.synth.cells import count_blocks, log_normalise
from harness.datasets.synth.design import design, design_rows
from harness.datasets.synth.spec import SynthSpec
from harness.datasets.synth.world import make_world


def make_synthetic(spec: SynthSpec, out: Path, *, progress: Progress | None = None) -> Path:
    """Make a screen from its spec; memory stays bounded by one block of cells. Returns the artifact's folder."""
    plan = design(spec)
    world = make_world(spec, plan)
    return write_screen(
        spec,
        out,
        rows=design_rows(spec, plan),
        genes=plan.genes,
        perturbations={
            pert: [plan.genes[gene] for gene in targets] for pert, targets in plan.perturbations.items()
        },
        blocks=(block for group in plan.groups for block in count_blocks(world, group)),
        graph=world.graph,
        notes=leak_notes(spec),
        progress=progress,
    )


def write_screen(
    spec: SynthSpec,
    out: Path,
    *,
    rows: Rows,
    genes: tuple[str, ...],
    perturbations: dict[str, list[str]],
    blocks: Iterable[NDArray[Any]],
    graph: GeneGraph,
    notes: list[str],
    progress: Progress | None = None,
) -> Path:
    """Freeze blocks of counts (in artifact order) as an artifact, with the true graph beside it."""
    measured = {level: perturbations[level] for level in rows.pert.levels if level in perturbations}
    with build_dataset(
        out,
        name=spec.name,
        title=spec.title,
        genes=genes,
        rows=rows,
        perturbations=measured,
        preprocessing=preprocessing(spec),
        counts_dtype="<u2" if spec.keep_counts else None,
        source=Source(license="CC0-1.0", citation="synthetic, made by this harness"),
        notes=notes,
        seed=spec.seed,
    ) as arrays:
        done, total = 0, len(rows.is_control)
        for block in blocks:
            here = slice(done, done + len(block))
            arrays.X[here] = log_normalise(block, spec.depth)
            if arrays.counts is not None:
                arrays.counts[here] = block
            done += len(block)
            if progress:
                progress(done, total)
        # before the artifact appears: who finds the screen finds its graph, also when this process is killed in between
        save_graph(graph, graphs_folder(out) / "true.npz")
    return out


def preprocessing(spec: SynthSpec) -> Preprocessing:
    """What was done to the counts of a synthetic screen."""
    return Preprocessing(
        found="counts",
        steps=[
            f"divided by the total of the cell, times {spec.depth:g}",
            "log1p in float64, rounded to float32",
        ],
        target_sum=spec.depth,
        gene_space="all",
    )


def leak_notes(spec: SynthSpec) -> list[str]:
    """What a reader must know of a screen that leaks on purpose."""
    if not spec.planted_leak:
        return []
    return [
        "planted leak: the intervention covariate assay_signature (1 to 8, drawn for each condition) says how far the "
        "response of a condition goes along one hidden direction, from far backwards to far forwards; nothing else "
        "that crosses the wall tells it"
    ]

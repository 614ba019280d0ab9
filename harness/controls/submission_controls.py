"""The controls made of a submission's own predictions: shuffled labels, shuffled genes, other sizes, canaries."""

from __future__ import annotations

import tempfile
from pathlib import Path

from harness.controls.canary import canary_score
from harness.controls.catalogue import CONTROLS, SCALES
from harness.controls.control_set import ControlScore, ControlSet
from harness.controls.pieces import read_piece
from harness.controls.workers import pieces_of_submission
from harness.scoring.direct_table import table_of
from harness.scoring.engine import Progress
from harness.scoring.evaluate import Evaluation

SHUFFLES = ("shuffled_labels", "shuffled_genes")


def submission_controls(
    evaluation: Evaluation, *, workers: int | None = None, progress: Progress | None = None
) -> ControlSet:
    """The controls of one scored predictions file. `workers`: processes, by default one for each core up to eight."""
    engine = evaluation.engine
    own = table_of(evaluation).of_kind("reported")
    names = (*SHUFFLES, *(f"scale_{scale:g}" for scale in SCALES if scale != 1))
    with tempfile.TemporaryDirectory(prefix="harness-controls-") as scratch:
        paths = {name: Path(scratch) / f"{name}.sealed" for name in names}
        pieces_of_submission(engine, paths, workers, progress)
        tables = {name: read_piece(path).tables[name] for name, path in paths.items()}
    sweep = tuple(own if scale == 1 else tables[f"scale_{scale:g}"] for scale in SCALES)
    scores = [
        *(ControlScore(CONTROLS[name], (tables[name],)) for name in SHUFFLES),
        ControlScore(CONTROLS["scale_sweep"], sweep, tuple(f"{scale:g}" for scale in SCALES)),
        canary_score(engine),
    ]
    return ControlSet({one.card.name: one for one in scores})

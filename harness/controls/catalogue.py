"""The controls: predictions made by rule, and checks, that every scorecard is held against."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["negative", "positive", "anchor", "sanity", "submission", "check"]
"""`negative`: to be beaten. `positive`: what a replicate reaches. `anchor`: what a positive one is compared with on its own
truth, whose noise is that of a half. `sanity`: proves the metrics. `submission`: made of
the submission's own predictions. `check`: a number with a threshold, not a prediction."""
Made = Literal["baseline", "truth", "predictions", "measured"]
"""`baseline`: the shipped submission of that name, run like any other. `truth`: from sealed truth. `predictions`: from the
predictions that are judged. `measured`: from what the task or the run left."""


@dataclass(frozen=True)
class ControlCard:
    """What a control is, and where it must land."""

    name: str
    kind: Kind
    made: Made
    description: str
    """The rule."""
    expected: str
    """Where it lands on a sound task, or the gate that it is for."""


def _baseline(name: str, description: str, expected: str) -> ControlCard:
    return ControlCard(name, "negative", "baseline", description, expected)


_CARDS = (
    _baseline("control_only", "no effect: every delta is 0", "retrieval 0.5 and error ratio 1, exactly"),
    _baseline("global_mean", "the mean delta of all training conditions", "scaled 0 by definition"),
    _baseline("context_mean", "the mean training delta of the context, else of all", "retrieval 0.5"),
    _baseline(
        "per_perturbation_mean",
        "the mean training delta of the perturbation over contexts, else of all",
        "the strongest simple baseline where contexts are new",
    ),
    _baseline(
        "nearest_context_mean",
        "the same, contexts weighted by the similarity of their controls",
        "at least as good where contexts differ in likeness",
    ),
    _baseline("additive", "a combination is the sum of its parts' deltas", "sums two noises"),
    _baseline(
        "scaled_additive",
        "the sum of the parts' deltas times one factor fitted on training combinations",
        "better than the plain sum",
    ),
    _baseline("matching_mean", "a combination is the mean of those parts that were seen", "hedges"),
    _baseline("bilinear", "gene embedding × perturbation embedding, ridge", "beats most published networks"),
    _baseline("ridge", "ridge on perturbed genes × control state", "beats most published networks"),
    _baseline("nearest_train", "the delta of the nearest training condition", "interpolation"),
    _baseline(
        "noise_matched",
        "the train mean plus noise of the training residual's size",
        "worse than the train mean wherever error counts",
    ),
    ControlCard(
        "technical_duplicate",
        "positive",
        "truth",
        "half of a condition's cells against pool C predicts the other half against pool B; five seeded halvings",
        "scaled 1 by construction",
    ),
    ControlCard(
        "interpolated_duplicate",
        "positive",
        "truth",
        "the duplicate, blended gene by gene with the train mean by 1 − adjusted p of the duplicate's half",
        "at least as good as the duplicate wherever noise counts",
    ),
    ControlCard(
        "halved_mean",
        "anchor",
        "truth",
        "the train mean against the same halves as the duplicates",
        "below the duplicate wherever a metric knows an effect",
    ),
    ControlCard(
        "halved_nothing",
        "anchor",
        "truth",
        "no effect against the same halves as the duplicates",
        "below the duplicate wherever a metric knows an effect",
    ),
    ControlCard(
        "oracle",
        "sanity",
        "truth",
        "the truth itself: as effects, as the hidden cells, as forecasts whose error is told",
        "every directed metric at its declared optimum in one of the three, but for the noise of the experiment",
    ),
    ControlCard(
        "shuffled_labels",
        "submission",
        "predictions",
        "the submission's predictions, perturbations deranged within their context",
        "worse than the submission itself",
    ),
    ControlCard(
        "shuffled_genes",
        "submission",
        "predictions",
        "the submission's predictions, genes permuted once",
        "gene-wise correlations about 0",
    ),
    ControlCard(
        "scale_sweep",
        "submission",
        "predictions",
        "the submission's predictions times ¼, ½, 1, 2, 4",
        "the best factor lies within ½ … 2",
    ),
    ControlCard(
        "control_echo",
        "check",
        "measured",
        "−(pool-A controls − their mean), against the truth deltas of the dataset",
        "correlation 0",
    ),
    ControlCard(
        "metadata_adversary",
        "check",
        "measured",
        "nearest neighbours on row counts, library size, batch and covariates predict training deltas",
        "no better than the train mean",
    ),
    ControlCard(
        "canary",
        "check",
        "measured",
        "invented conditions whose random truth only the sealed folder holds",
        "correlation 0, retrieval 0.5",
    ),
    ControlCard(
        "planted_marker",
        "check",
        "measured",
        "±a on reserved genes of a private copy of the truth",
        "correlation with the plant 0",
    ),
)
CONTROLS: dict[str, ControlCard] = {card.name: card for card in _CARDS}
"""Every control by name."""
BASELINES = tuple(card.name for card in _CARDS if card.made == "baseline")
NEGATIVE_ANCHOR = "global_mean"
"""Scaled 0."""
CENTRED_ANCHOR = "control_only"
"""Scaled 0 of metrics that are centred on the train mean, for which that mean says nothing."""
HALF_ANCHOR = {NEGATIVE_ANCHOR: "halved_mean", CENTRED_ANCHOR: "halved_nothing"}
"""The anchors as they score against the halves that the duplicates are scored against."""
POSITIVE_ANCHOR = "technical_duplicate"
"""Scaled 1."""
CENTRED = ("calibrated.pcc_delta_centred", "calibrated.retrieval")
SCALES = (0.25, 0.5, 1.0, 2.0, 4.0)
"""Factors of the scale sweep; the labels of its tables are these as text."""
REPLICATES = 5
"""Halvings of the duplicates."""

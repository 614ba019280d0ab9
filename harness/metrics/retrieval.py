"""Calibrated retrieval: does a predicted effect resemble its own perturbation's more than the others of its context?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from harness.metrics.card import Direction, Undefined, Value, metric
from harness.metrics.inputs import ContextProfiles, Profile
from harness.metrics.pair_scores import all_pairs
from harness.metrics.perturbench_ranks import places

PANEL: Final = "calibrated"
ROUNDING = 1e-6
"""Norm of a centred effect, relative to its own and its centre's, that float32 rounding of equal effects leaves."""
ONE_PERTURBATION = "there is one perturbation in this context, nothing to tell it from"
NO_GENES = "every gene is a target of some perturbation of this context, none is left to compare"
NOTHING_OBSERVED = "the observed effect is the mean training effect, it has no direction to be found by"
NO_BASELINE = "there is no baseline whose retrieval could be exceeded"
Effects = NDArray[np.float64]  # [conditions, genes]


@metric(
    panel=PANEL,
    direction=Direction.HIGHER,
    optimum=1.0,
    range=(0.0, 1.0),
    unit="context",
    needs=("means", "perturbations"),
    reference="Liu et al. 2025 (arXiv 2511.16954), with mid-ranks, all targets left out, within context",
    pathologies="0.5 by chance and by collapse; coarse where there are few perturbations; easy where the training set has"
    " the perturbation in other contexts: see the headroom",
    may_rank=True,
)
def retrieval(
    predicted: Effects, observed: Effects, centre: Profile, left_out: Sequence[int] = ()
) -> list[Value]:
    r"""$1-(b_p+\frac12t_p)/(P-1)$; of the other truths $b_p$ are nearer to prediction p than its own, $t_p$ as near.

    Near is the cosine of $\hat\delta_p-m$ and $\delta_q-m$, m the mean training effect. Genes that any perturbation of the
    context targets are left out, so that no prediction is found by the gene that was hit. A prediction without direction
    is as near to every truth: 0.5.
    """
    if len(observed) < 2:
        return [Undefined(ONE_PERTURBATION)] * len(observed)
    kept = np.setdiff1d(np.arange(observed.shape[1]), np.asarray(left_out, np.int64))
    if not len(kept):
        return [Undefined(NO_GENES)] * len(observed)
    told = _centred(predicted[:, kept], centre[kept])
    true = _centred(observed[:, kept], centre[kept])
    found = 1 - places(all_pairs("cosine", told, true), higher_is_better=True, transposed=True).expected()
    lost = np.logical_not(true.any(axis=1))
    return [
        Undefined(NOTHING_OBSERVED) if gone else float(value)
        for gone, value in zip(lost.tolist(), found.tolist(), strict=True)
    ]


@metric(
    panel=PANEL,
    direction=Direction.NONE,
    optimum=None,
    range=(0.0, 1.0),
    unit="context",
    needs=("means", "perturbations"),
    reference="1 − the retrieval of the strongest baseline",
    pathologies="near 0 where baselines solve the context: differences in retrieval then say nothing",
)
def retrieval_headroom(baselines: Mapping[str, Sequence[Value]]) -> Value:
    r"""$1-\max_b\overline{\mathrm{retrieval}_b}$: what the strongest baseline leaves to be gained in this context."""
    means = [
        float(np.mean(defined))
        for values in baselines.values()
        if (defined := [value for value in values if not isinstance(value, Undefined)])
    ]
    return 1 - max(means) if means else Undefined(NO_BASELINE)


NAMES = ("retrieval", "retrieval_headroom")


def context_values(
    profiles: ContextProfiles,
    baselines: Mapping[str, Effects] | None = None,
    left_out: Sequence[int] | None = None,
) -> dict[str, list[Value]]:
    """Retrieval of every condition, and the context's headroom repeated beside it.

    `baselines` are predicted effects of the same conditions in the same order; `left_out` are gene positions, by default
    the targets of all conditions of the context.
    """
    if left_out is None:
        left_out = sorted({gene for targets in profiles.targets for gene in targets})

    def found(predicted: Effects) -> list[Value]:
        return retrieval(predicted, profiles.observed_effect, profiles.train_effect, left_out)

    headroom = retrieval_headroom({name: found(effects) for name, effects in (baselines or {}).items()})
    return {
        "retrieval": found(profiles.predicted_effect),
        "retrieval_headroom": [headroom] * len(profiles.perturbations),
    }


def _centred(effects: Effects, centre: Profile) -> Effects:
    """Effects minus their centre; what rounding leaves of a difference is 0."""
    out = np.asarray(effects - centre, np.float64)
    scale = np.sqrt(np.square(effects).sum(axis=1)) + np.sqrt(np.square(centre).sum())
    out[np.sqrt(np.square(out).sum(axis=1)) <= ROUNDING * scale] = 0.0
    return out

"""Panel `celleval`: metrics of differential expression, which compare the genes that are significant on both sides."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from harness.metrics.card import Direction, Undefined, Value, metric
from harness.metrics.correlation import spearman
from harness.metrics.inputs import Controls, Profile
from harness.metrics.mannwhitney import MannWhitney
from harness.metrics.moments import moments

PANEL = "celleval"
SEMANTICS = "celleval-0.8.2"
REFERENCE = "cell-eval 0.8.2"
FDR = np.float32(0.05)
SMALLEST_FDR = np.float32(1e-10)
NOTHING_REAL = "no gene of the observed condition is significant"
FEW_CELLS = "no gene is significant with few cells, whatever the effect"

_share = partial(
    metric, panel=PANEL, reference=REFERENCE, range=(0.0, 1.0), needs=("cells",),
    direction=Direction.HIGHER, optimum=1.0,
)  # fmt: skip
_overlap = partial(
    _share, pathologies=f"{FEW_CELLS}: 0 then; the order by fold change favours weakly expressed genes"
)
_precision = partial(
    _share,
    pathologies="asks for the strongest observed genes only, so that it is no precision; 0 without any gene",
)


class Expression(NamedTuple):
    """Differential expression of one condition against the controls."""

    target_mean: NDArray[np.float64]  # [genes]; exp(mean log1p) − 1, not below 0
    reference_mean: NDArray[np.float64]  # [genes]
    fold_change: NDArray[np.float64]  # [genes]; log2, ±inf where one mean is 0, 0 where both are
    test: MannWhitney


def differential_expression(
    cells: NDArray[Any], controls: Controls, mean: Profile | None = None
) -> Expression:
    r"""Mann–Whitney test of every gene, and $\log_2(\mathrm{expm1}\,\overline{x}_T/\mathrm{expm1}\,\overline{x}_C)$.

    `mean` is the mean of the cells, where it is known already.
    """
    target = np.maximum(np.expm1(moments(cells).mean if mean is None else mean), 0.0)
    reference = np.maximum(np.expm1(controls.moments.mean), 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        fold_change = np.log2(target / reference)
    fold_change[(target == 0) & (reference == 0)] = 0.0
    return Expression(target, reference, fold_change, controls.ranked.test(cells))


@dataclass(frozen=True)
class Genes:
    """What decides the metrics of one side: fold change and adjusted p of every gene, in the precision of the original."""

    fold_change: NDArray[np.float32]  # [genes]
    fdr: NDArray[np.float32]  # [genes]

    @classmethod
    def of(cls, expression: Expression) -> Genes:
        return cls(expression.fold_change.astype(np.float32), expression.test.fdr.astype(np.float32))

    @cached_property
    def significant(self) -> NDArray[np.int64]:
        """Significant genes, largest |fold change| first; equal ones keep gene order."""
        found = np.flatnonzero(self.fdr < FDR)
        return found[np.argsort(-np.abs(self.fold_change[found]), kind="stable")]


@_overlap()
def overlap_at_N(observed: Genes, predicted: Genes) -> float:
    r"""Shared genes among the $n$ strongest of both sides, $|S^n_T\cap S^n_P|/n$, $n$ significant observed genes."""
    return _top_overlap(observed, predicted, len(observed.significant))


@_overlap()
def overlap_at_50(observed: Genes, predicted: Genes) -> float:
    r"""Shared genes among the strongest of both sides, $|S^k_T\cap S^k_P|/k$, $k=\min(50, |S_T|)$."""
    return _top_overlap(observed, predicted, min(50, len(observed.significant)))


@_overlap()
def overlap_at_100(observed: Genes, predicted: Genes) -> float:
    r"""Shared genes among the strongest of both sides, $|S^k_T\cap S^k_P|/k$, $k=\min(100, |S_T|)$."""
    return _top_overlap(observed, predicted, min(100, len(observed.significant)))


@_overlap()
def overlap_at_200(observed: Genes, predicted: Genes) -> float:
    r"""Shared genes among the strongest of both sides, $|S^k_T\cap S^k_P|/k$, $k=\min(200, |S_T|)$."""
    return _top_overlap(observed, predicted, min(200, len(observed.significant)))


@_overlap()
def overlap_at_500(observed: Genes, predicted: Genes) -> float:
    r"""Shared genes among the strongest of both sides, $|S^k_T\cap S^k_P|/k$, $k=\min(500, |S_T|)$."""
    return _top_overlap(observed, predicted, min(500, len(observed.significant)))


@_precision()
def precision_at_N(observed: Genes, predicted: Genes) -> float:
    r"""Shared genes among the $n$ strongest of both sides, $|S^n_T\cap S^n_P|/n$, $n$ significant predicted genes."""
    return _top_overlap(observed, predicted, len(predicted.significant))


@_precision()
def precision_at_50(observed: Genes, predicted: Genes) -> float:
    r"""Shared genes among the strongest of both sides, $|S^k_T\cap S^k_P|/k$, $k=\min(50, |S_P|)$."""
    return _top_overlap(observed, predicted, min(50, len(predicted.significant)))


@_precision()
def precision_at_100(observed: Genes, predicted: Genes) -> float:
    r"""Shared genes among the strongest of both sides, $|S^k_T\cap S^k_P|/k$, $k=\min(100, |S_P|)$."""
    return _top_overlap(observed, predicted, min(100, len(predicted.significant)))


@_precision()
def precision_at_200(observed: Genes, predicted: Genes) -> float:
    r"""Shared genes among the strongest of both sides, $|S^k_T\cap S^k_P|/k$, $k=\min(200, |S_P|)$."""
    return _top_overlap(observed, predicted, min(200, len(predicted.significant)))


@_precision()
def precision_at_500(observed: Genes, predicted: Genes) -> float:
    r"""Shared genes among the strongest of both sides, $|S^k_T\cap S^k_P|/k$, $k=\min(500, |S_P|)$."""
    return _top_overlap(observed, predicted, min(500, len(predicted.significant)))


@_share(pathologies="genes chosen by the observed side alone; half of them match by chance")
def de_direction_match(observed: Genes, predicted: Genes) -> Value:
    r"""Share of significant observed genes whose fold change has the same sign: $|\{g\in S_T:s_g=\hat s_g\}|/|S_T|$."""
    chosen = observed.significant
    if not len(chosen):
        return Undefined(NOTHING_REAL)
    same = np.sign(observed.fold_change[chosen]) == np.sign(predicted.fold_change[chosen])
    return float(same.mean())


@metric(
    panel=PANEL,
    reference=REFERENCE,
    range=(-1.0, 1.0),
    needs=("cells",),
    direction=Direction.HIGHER,
    optimum=1.0,
    pathologies="high where every perturbation moves the same genes",
)
def de_spearman_lfc_sig(observed: Genes, predicted: Genes) -> Value:
    r"""Rank correlation of fold changes over significant observed genes: $\rho_{g\in S_T}(f_g,\hat f_g)$."""
    chosen = observed.significant
    if not len(chosen):
        return Undefined(NOTHING_REAL)
    of = ("the observed fold change", "the predicted fold change")
    wide = observed.fold_change.astype(np.float64), predicted.fold_change.astype(np.float64)
    return spearman(wide[0][chosen], wide[1][chosen], of=of)


@_share(pathologies="1 for a prediction in which every gene is significant")
def de_sig_genes_recall(observed: Genes, predicted: Genes) -> Value:
    r"""Significant observed genes that are significant in the prediction too: $|S_T\cap S_P|/|S_T|$."""
    chosen = observed.significant
    if not len(chosen):
        return Undefined(NOTHING_REAL)
    return float((predicted.fdr[chosen] < FDR).mean())


@metric(
    panel=PANEL, reference=REFERENCE, range=(0.0, np.inf), needs=("cells",), direction=Direction.NONE,
    optimum=None, pathologies="grows with the number of cells",
)  # fmt: skip
def de_nsig_counts_real(observed: Genes, predicted: Genes) -> float:  # noqa: ARG001  one signature for the family
    r"""Number of significant observed genes, $|S_T|$."""
    return float(len(observed.significant))


@metric(
    panel=PANEL, reference=REFERENCE, range=(0.0, np.inf), needs=("cells",), direction=Direction.NONE,
    optimum=None, pathologies="grows with the number of cells",
)  # fmt: skip
def de_nsig_counts_pred(observed: Genes, predicted: Genes) -> float:  # noqa: ARG001  one signature for the family
    r"""Number of significant predicted genes, $|S_P|$."""
    return float(len(predicted.significant))


@_share(pathologies="chance level is the share of significant genes; the direction of the change is ignored")
def pr_auc(observed: Genes, predicted: Genes) -> Value:
    r"""Average precision $\sum_i (R_i-R_{i-1})P_i$: observed significance found by $-\log_{10}$ of the predicted FDR."""
    positive, score = _classes(observed), _score(predicted)
    if isinstance(positive, Undefined):
        return positive
    found, called = _at_thresholds(positive, score)
    recall = found / found[-1]
    return float(np.sum(np.diff(recall, prepend=0.0) * (found / called)))


@_share(pathologies="0.5 by chance; the direction of the change is ignored")
def roc_auc(observed: Genes, predicted: Genes) -> Value:
    r"""Area under the ROC curve: observed significance found by $-\log_{10}$ of the predicted FDR, ties counted half."""
    positive, score = _classes(observed), _score(predicted)
    if isinstance(positive, Undefined):
        return positive
    found, called = _at_thresholds(positive, score)
    hits, alarms = np.r_[0.0, found / found[-1]], np.r_[0.0, (called - found) / (called[-1] - found[-1])]
    return float(np.sum(np.diff(alarms) * (hits[1:] + hits[:-1]) / 2))


METRICS = (
    overlap_at_N, overlap_at_50, overlap_at_100, overlap_at_200, overlap_at_500,
    precision_at_N, precision_at_50, precision_at_100, precision_at_200, precision_at_500,
    de_direction_match, de_spearman_lfc_sig, de_sig_genes_recall, de_nsig_counts_real, de_nsig_counts_pred,
    pr_auc, roc_auc,
)  # fmt: skip


def _top_overlap(observed: Genes, predicted: Genes, k: int) -> float:
    """Shared genes among the k strongest of both sides, over k; 0 for k = 0."""
    shared = np.intersect1d(observed.significant[:k], predicted.significant[:k], assume_unique=True)
    return len(shared) / k if k else 0.0


def _classes(observed: Genes) -> NDArray[np.bool_] | Undefined:
    positive = np.asarray(observed.fdr < FDR)
    if not positive.any():
        return Undefined(NOTHING_REAL)
    return Undefined("every gene of the observed condition is significant") if positive.all() else positive


def _score(predicted: Genes) -> NDArray[np.float32]:
    return -np.log10(np.clip(predicted.fdr, SMALLEST_FDR, np.float32(1)))


def _at_thresholds(
    positive: NDArray[np.bool_], score: NDArray[np.float32]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Positives and genes with a score of at least each distinct score, highest first."""
    order = np.argsort(-score, kind="stable")
    last = np.flatnonzero(np.r_[np.diff(score[order]) != 0, True])
    return np.cumsum(positive[order])[last].astype(np.float64), (last + 1).astype(np.float64)

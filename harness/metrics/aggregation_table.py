"""scPerturBench's aggregation of several methods: min–max scores, ranks and their means, for its table alone.

A score depends on which methods are present, so that it never ranks anything here.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from harness.metrics.card import Undefined, Value

Row = Mapping[str, Value]
HIGHER_IS_BETTER = ("pcc_delta", "common_degs")
"""Enter as they are; every other metric is scaled from worst (0) to best (1)."""
TOP100 = ("edistance", "mse", "wasserstein", "kl_log2p1", "pcc_delta", "common_degs")
ALL_GENES = ("edistance", "mse", "kl_log2p1", "pcc_delta")
OVERALL = {"top100": TOP100, "all_genes": ALL_GENES}
ALL_EQUAL = "all methods have the same value, so that nothing lies between worst and best"


def aggregate(methods: Mapping[str, Row]) -> dict[str, dict[str, Value]]:
    """Scores and ranks of the methods of one condition; a metric that a row does not name counts as undefined.

    The mean of scores is taken over those that exist; a method with an undefined metric has no overall value.
    """
    names = list(methods)
    columns = {metric: [_raw(methods[name], metric) for name in names] for metric in TOP100}
    scores = {metric: _scores(metric, values) for metric, values in columns.items()}
    ranks = {metric: _ranks(_goodness(metric, values)) for metric, values in columns.items()}
    table: dict[str, dict[str, Value]] = {
        name: {f"score_{metric}": scores[metric][i] for metric in TOP100}
        | {f"rank_{metric}": ranks[metric][i] for metric in TOP100}
        for i, name in enumerate(names)
    }
    for title, used in OVERALL.items():
        whole = [_first_undefined([columns[metric][i] for metric in used]) for i in range(len(names))]
        rank_means = [whole[i] or _mean([ranks[metric][i] for metric in used]) for i in range(len(names))]
        overall_ranks = _ranks([value if isinstance(value, Undefined) else -value for value in rank_means])
        for i, name in enumerate(names):
            table[name] |= {
                f"overall_score_{title}": whole[i] or _mean([scores[metric][i] for metric in used]),
                f"overall_rank_mean_{title}": rank_means[i],
                f"overall_rank_{title}": overall_ranks[i],
            }
    return table


def _raw(row: Row, metric: str) -> Value:
    return row.get(metric, Undefined(f"{metric} was not computed"))


def _scores(metric: str, values: Sequence[Value]) -> list[Value]:
    if metric in HIGHER_IS_BETTER:
        return list(values)
    known = [value for value in values if not isinstance(value, Undefined)]
    if not known or max(known) == min(known):
        return [value if isinstance(value, Undefined) else Undefined(ALL_EQUAL) for value in values]
    low, span = min(known), max(known) - min(known)
    return [value if isinstance(value, Undefined) else 1 - (value - low) / span for value in values]


def _goodness(metric: str, values: Sequence[Value]) -> list[Value]:
    """Values of which the highest is best."""
    if metric in HIGHER_IS_BETTER:
        return list(values)
    return [value if isinstance(value, Undefined) else -value for value in values]


def _ranks(goodness: Sequence[Value]) -> list[Value]:
    """1 is best; ties share the smallest rank."""
    known = [value for value in goodness if not isinstance(value, Undefined)]
    return [
        value if isinstance(value, Undefined) else 1.0 + sum(other > value for other in known)
        for value in goodness
    ]


def _mean(values: Sequence[Value]) -> Value:
    known = [value for value in values if not isinstance(value, Undefined)]
    return math.fsum(known) / len(known) if known else Undefined(ALL_EQUAL)


def _first_undefined(values: Sequence[Value]) -> Undefined | None:
    return next((value for value in values if isinstance(value, Undefined)), None)

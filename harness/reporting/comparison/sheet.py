"""What a page of a comparison says: the comparison, whom it speaks of, and the claims that were earned."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from harness.metrics.card import Direction, cards
from harness.statistics.intervals import Interval
from harness.verdicts.claims_of_runs import Said
from harness.verdicts.compare import Comparison, MetricComparison, Pair
from harness.verdicts.entrants import Entrant, not_ranked
from harness.verdicts.judge import VERDICT_FILE

ARROWS = {Direction.HIGHER: "↑", Direction.LOWER: "↓", Direction.TARGET: "→"}


@dataclass(frozen=True)
class Sheet:
    """Everything that the page shows."""

    task: str
    eval_split: str
    split_hash: str
    runs: Mapping[str, Sequence[str]]
    """By submission."""
    comparison: Comparison
    claims: tuple[Said, ...]
    notes: tuple[str, ...]

    @property
    def names(self) -> list[str]:
        """Everyone compared, controls too."""
        return list(self.comparison.seeds)


def sheet_of(entrants: Sequence[Entrant], comparison: Comparison, said: Sequence[Said]) -> Sheet:
    """The sheet of a comparison of these submissions."""
    record = entrants[0].runs[0].record
    unjudged = [one.name for one in entrants if not all(VERDICT_FILE in run.record.files for run in one.runs)]
    few = [name for name, seeds in comparison.seeds.items() if seeds == 1]
    notes = [f"{one.name}: {reason}" for one in entrants for reason in not_ranked(one.runs[0])]
    if unjudged:
        notes.append(f"a quick look without controls, where a leak would not show: {', '.join(unjudged)}")
    if few:
        notes.append(f"one training seed, so that another could turn the order: {', '.join(few)}")
    intervals = [pair.interval for one in comparison.metrics for pair in one.pairs]
    notes += [f"intervals: {method}" for method in sorted({method_of(one) for one in intervals if one.n})]
    notes.append(
        f"q: Benjamini–Hochberg over {comparison.family} tests, all pairs on all metrics of this page"
    )
    return Sheet(
        record.task.name,
        record.task.eval_split,
        record.split.hash,
        {one.name: [run.record.run for run in one.runs] for one in entrants},
        comparison,
        tuple(said),
        tuple(notes),
    )


def method_of(one: Interval) -> str:
    """How an interval was found, with its seed."""
    drawn = f", {one.resamples:,} resamples, seed {one.seed}" if one.resamples else ""
    return f"{one.method}, {one.level:.0%}, {one.scope}{drawn}"


def arrow(metric: str) -> str:
    """Which way is better."""
    return ARROWS.get(cards()[metric].direction, "")


def verdict_of_pair(pair: Pair, one: MetricComparison) -> str:
    """What the page says of two submissions on one metric; of what ranks nobody no order is said."""
    return pair.word if one.not_ranked is None or pair.word != "better" else "not ranked"

"""Values that a case says not to compare, because rounding or the order of ties decides them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

METRICS = ("top_k_recall", "r2_score", "pearson", "cosine", "rmse", "mse", "mae", "mmd")
ANY = ""


class Unsound(NamedTuple):
    """One remark, read as what it is about; ANY stands for all."""

    aggregation: str
    metric: str
    ranks_only: bool
    why: str


@dataclass(frozen=True)
class IllConditioned:
    """The remarks of one case."""

    remarks: tuple[Unsound, ...]

    @classmethod
    def of(cls, sentences: Iterable[str]) -> IllConditioned:
        """From `AGGREGATION/METRIC: why`, `AGGREGATION, …: why about METRIC`, `rank with METRIC: why`."""
        return cls(tuple(remark for sentence in sentences for remark in _read(sentence)))

    def score(self, aggregation: str, metric: str) -> str | None:
        """Why a score is not compared."""
        return self._why(aggregation, metric, rank=False)

    def rank(self, aggregation: str, metric: str) -> str | None:
        """Why a rank is not compared."""
        return self._why(aggregation, metric, rank=True)

    def _why(self, aggregation: str, metric: str, *, rank: bool) -> str | None:
        for one in self.remarks:
            about = one.aggregation in (ANY, aggregation) and one.metric in (ANY, metric)
            if about and (rank or not one.ranks_only):
                return one.why
        return None


def _read(sentence: str) -> list[Unsound]:
    head, _, why = sentence.partition(":")
    ranked = re.fullmatch(r"rank with (\w+)", head.strip())
    if ranked:
        return [Unsound(ANY, ranked[1], True, why.strip())]
    named = next((metric for metric in METRICS if re.search(rf"\b{metric}\b", why)), ANY)
    found = []
    for part in head.split(","):
        aggregation, _, metric = part.strip().partition("/")
        found.append(Unsound(aggregation, metric or named, False, why.strip()))
    return found

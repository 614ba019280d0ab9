"""Claims in words: a small grammar, so that what a suite is to show stands in its file as a person would say it.

v2 beats ridge and v0 on calibrated.wmse in demo:context_ood
v3a beats best baseline on calibrated.wmse in demo:context_ood, demo:combo
v2 is not worse than v0 on uncertainty.crps_skill in demo:context_ood by more than 2 %
scaled_additive is ahead of additive on calibrated.mse in norman:combo
graph helps v2 over v2@no_graph and v2-rewired on calibrated.wmse in demo:perturbation_ood
rewired graph does not help v1-rewired over v1@no_graph on calibrated.mse in replogle
uncertainty.epistemic_ratio of v0@ensemble5 is above 1 in demo:context_ood
uncertainty.conformal_coverage of v2 is within 0.05 of 0.9 in demo:context_ood
controls pass on calibrated.wmse in demo:context_ood
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from enum import StrEnum

from harness.errors import HarnessError
from harness.statistics.power import MARGIN_SHARE

BEST, BEST_TRIVIAL = "best baseline", "best trivial baseline"
"""Opponents that the controls of the task decide: the strongest of all, and of those that fit nothing."""
LABEL = r"[^\s,]+"
_MANY = rf"(?P<objects>{BEST_TRIVIAL}|{BEST}|{LABEL}(?:(?:, | and )(?:{BEST_TRIVIAL}|{BEST}|{LABEL}))*)"
_WHERE = rf"in (?P<tasks>{LABEL}(?:, {LABEL})*)"
_ON = rf"on (?P<metric>{LABEL}) {_WHERE}"
_NUMBER = r"-?\d+(?:\.\d+)?"


class Verb(StrEnum):
    """What a sentence says."""

    BEATS = "beats"
    NOT_WORSE = "is not worse than"
    AHEAD = "is ahead of"
    HELPS = "helps"
    HELPS_NOT = "does not help"
    LIES = "lies"
    """A value lies above, below or within."""
    SOUND = "controls pass"


FORMS: dict[Verb, str] = {
    Verb.HELPS_NOT: rf"(?P<part>.+) does not help (?P<subject>{LABEL}) over {_MANY} {_ON}",
    Verb.HELPS: rf"(?P<part>.+) helps (?P<subject>{LABEL}) over {_MANY} {_ON}",
    Verb.NOT_WORSE: rf"(?P<subject>{LABEL}) is not worse than {_MANY} {_ON}(?: by more than (?P<margin>{_NUMBER}) ?%)?",
    Verb.AHEAD: rf"(?P<subject>{LABEL}) is ahead of {_MANY} {_ON}",
    Verb.BEATS: rf"(?P<subject>{LABEL}) beats {_MANY} {_ON}",
    Verb.LIES: rf"(?P<metric>{LABEL}) of (?P<subject>{LABEL}) is (?:(?P<side>above|below) (?P<limit>{_NUMBER})"
    rf"|within (?P<reach>{_NUMBER}) of (?P<centre>{_NUMBER})) {_WHERE}",
    Verb.SOUND: rf"controls pass {_ON}",
}


@dataclass(frozen=True)
class Sentence:
    """A claim, understood."""

    text: str
    verb: Verb
    metric: str
    tasks: tuple[str, ...]
    """All of which it speaks of."""
    subject: str = ""
    objects: tuple[str, ...] = ()
    """Each of which it is held against; `best baseline` among them."""
    part: str = ""
    """What an ablation takes away."""
    margin: float = MARGIN_SHARE
    """Share of the span to a replicate that may be lost."""
    low: float = -math.inf
    high: float = math.inf
    """Where a value has to lie."""

    @property
    def submissions(self) -> tuple[str, ...]:
        """The submissions or controls that it names."""
        named = (self.subject, *self.objects) if self.subject else self.objects
        return tuple(one for one in named if one not in (BEST, BEST_TRIVIAL))


def parse(text: str, *, where: object = None) -> Sentence:
    """A sentence of the grammar; anything else is refused with the forms that there are."""
    plain = " ".join(text.split())
    for verb, form in FORMS.items():
        found = re.fullmatch(form, plain)
        if found is not None:
            return _sentence(plain, verb, found.groupdict())
    raise HarnessError(
        "this claim is not understood",
        where=where,
        got=text,
        expected="e.g. 'v2 beats ridge on calibrated.wmse in demo:context_ood'",
        mend="docs/how-to/sweeps-and-suites.md lists what can be said",
    )


def _sentence(text: str, verb: Verb, told: dict[str, str | None]) -> Sentence:
    low, high = _limits(told)
    margin = told.get("margin")
    return Sentence(
        text,
        verb,
        told["metric"] or "",
        tuple((told["tasks"] or "").split(", ")),
        told.get("subject") or "",
        tuple(re.split(r", | and ", told.get("objects") or "")) if told.get("objects") else (),
        told.get("part") or "",
        MARGIN_SHARE if margin is None else float(margin) / 100,
        low,
        high,
    )


def _limits(told: dict[str, str | None]) -> tuple[float, float]:
    limit, reach, centre = told.get("limit"), told.get("reach"), told.get("centre")
    if reach is not None and centre is not None:
        return float(centre) - float(reach), float(centre) + float(reach)
    if limit is None:
        return -math.inf, math.inf
    return (float(limit), math.inf) if told["side"] == "above" else (-math.inf, float(limit))

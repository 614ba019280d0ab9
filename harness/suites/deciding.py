"""The rules by which a claim is supported, not supported, or cannot be decided by the data at hand."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

from harness.statistics.intervals import Interval
from harness.statistics.power import minimum_detectable_difference, underpowered
from harness.suites.comparison import Comparison
from harness.suites.sentence import Sentence, Verb
from harness.verdicts.claims import LEAST_SEEDS, MOST_P, MOST_Q
from harness.verdicts.passports import FEWEST

NO_LABELS = (
    "no context has two perturbations whose labels could be exchanged, so that no permutation can test it"
)
Reasons = tuple[list[str], list[str]]
"""Reasons against a claim, and reasons why it cannot be decided."""


class Word(StrEnum):
    """A verdict."""

    SUPPORTED = "supported"
    NOT_SUPPORTED = "not supported"
    NOT_DECIDABLE = "not decidable"


@dataclass(frozen=True)
class Finding:
    """The verdict on one comparison."""

    word: Word
    numbers: str
    """What was found."""
    reasons: tuple[str, ...]
    """Why it is not supported, or cannot be decided; notes on a supported one."""


def decide(said: Sentence, one: Comparison) -> Finding:
    """The verdict on one comparison."""
    if one.unknown:
        return Finding(Word.NOT_DECIDABLE, "", (one.unknown,))
    if said.verb is Verb.SOUND:
        return _sound(one)
    if said.verb is Verb.LIES:
        return _lies(said, one)
    interval = one.interval
    assert interval is not None
    if said.verb is Verb.AHEAD:
        word = Word.SUPPORTED if interval.estimate > 0 else Word.NOT_SUPPORTED
        return Finding(word, numbers(one), ("an order of means, not a test",))
    if not math.isfinite(interval.low):
        return Finding(Word.NOT_DECIDABLE, f"{interval.estimate:+.3g}", (interval.reason,))
    if not (said.verb is Verb.HELPS_NOT or (said.verb is Verb.HELPS and _no_replicate(one))):
        blind = _passport(one)
        if blind:
            return Finding(Word.NOT_DECIDABLE, numbers(one), (*blind, *filter(None, [_seeds(one)])))
    against, open_ = _RULES[said.verb](one, interval, said.margin)
    seeds = _seeds(one)
    word = Word.NOT_SUPPORTED if against else Word.NOT_DECIDABLE if open_ else Word.SUPPORTED
    if seeds:  # whatever was found, another seed could turn it
        would = "would be " + word if word is not Word.NOT_DECIDABLE else "could not be decided either"
        return Finding(
            Word.NOT_DECIDABLE,
            numbers(one),
            (f"descriptive: {seeds}; as it stands it {would}", *against, *open_),
        )
    return Finding(word, numbers(one), (*against, *open_))


def _beats(one: Comparison, interval: Interval, _: float) -> Reasons:
    """Reasons against, and reasons why it cannot be decided."""
    against, open_ = _above(one, interval)
    if one.failed_gates is None:
        open_.append(f"its gates were not judged: {one.gates_unknown}")
    elif one.failed_gates:
        against.append(f"gates not passed: {', '.join(one.failed_gates)}")
    if one.failed_gates is not None and one.permutation_p is None:
        open_.append(NO_LABELS)
    elif one.permutation_p is not None and not one.permutation_p < MOST_P:
        against.append(f"permutation p = {one.permutation_p:.2g}, below {MOST_P} is needed")
    return against, open_


def _helps(one: Comparison, interval: Interval, _: float) -> Reasons:
    return _above(one, interval)


def _helps_not(one: Comparison, interval: Interval, margin: float) -> Reasons:
    """Not to help is shown where a gain of the margin is excluded, or without a span where it does not even seem to."""
    if interval.above:
        return [f"the interval {_limits(interval)} is above 0: it does help"], []
    if one.span is None:
        if interval.estimate <= 0:
            return [], []
        return [], ["the span from baseline to replicate is not known, so that no gain can be called small"]
    if interval.high < margin * one.span:
        return [], []
    return [], [f"a gain of {margin:.0%} of the span {one.span:.3g} is not excluded: {_limits(interval)}"]


def _not_worse(one: Comparison, interval: Interval, margin: float) -> Reasons:
    if one.left_out:
        return [_leaves_out(one)], []
    if one.span is None:
        return [], ["the span from baseline to replicate is not known"]
    bound = -margin * one.span
    if interval.low > bound:
        return [], []
    lost = f"a loss of {margin:.0%} of the span {one.span:.3g}"
    if interval.high < bound:
        return [f"{lost} is shown: {_limits(interval)}"], []
    return [], [f"{lost} is not excluded: {_limits(interval)}"]


_RULES = {Verb.BEATS: _beats, Verb.HELPS: _helps, Verb.HELPS_NOT: _helps_not, Verb.NOT_WORSE: _not_worse}


def _above(one: Comparison, interval: Interval) -> Reasons:
    if interval.estimate <= 0:
        return [f"the difference points the other way: {interval.estimate:+.3g} {_limits(interval)}"], []
    if not interval.above:
        said = f"the interval {_limits(interval)} is not above 0"
        if one.span is not None and underpowered(interval, one.span):
            least = minimum_detectable_difference(interval.se, interval.freedom, level=interval.level)
            return [], [
                f"{said}; underpowered: {least:.3g} could have been detected, the span is {one.span:.3g}"
            ]
        return [said], []
    if one.left_out:
        return [_leaves_out(one)], []
    if one.q is None or not one.q < MOST_Q:
        return [f"adjusted q = {one.q or math.nan:.2g} of {one.family} tests, below {MOST_Q} is needed"], []
    return [], []


def _leaves_out(one: Comparison) -> str:
    return f"{one.ours} has no value in {one.left_out} conditions in which {one.theirs} has one"


def _passport(one: Comparison) -> list[str]:
    if one.passport is None:
        return [f"the passport of {one.metric} was not determined"]
    return [] if one.passport.granted else [f"{one.metric} is uninformative here: {one.passport.reason}"]


def _no_replicate(one: Comparison) -> bool:
    """Whether the data have no replicate by which a passport could be earned: one profile per condition."""
    return one.passport is not None and one.passport.n == 0


def _seeds(one: Comparison) -> str:
    if one.seeds >= LEAST_SEEDS:
        return ""
    return f"{counted(one.seeds, 'training seed')}, {LEAST_SEEDS} are needed"


def _sound(one: Comparison) -> Finding:
    """Controls whose score is known analytically were checked when they were made; a run exists only where they passed."""
    said = "every control with a known score has it"
    if one.passport is None:
        return Finding(Word.NOT_DECIDABLE, said, (f"the passport of {one.metric} was not determined",))
    if not one.passport.granted:
        word = Word.NOT_DECIDABLE if one.passport.n < FEWEST else Word.NOT_SUPPORTED
        return Finding(word, said, (f"{one.metric} is uninformative here: {one.passport.reason}",))
    return Finding(Word.SUPPORTED, f"{said}; {one.metric} has its passport", ())


def _lies(said: Sentence, one: Comparison) -> Finding:
    value = one.value
    assert value is not None
    told = f"{value.estimate:.3g} [{value.low:.3g}, {value.high:.3g}] ({value.how}, {counted(one.seeds, 'seed')})"
    if not math.isfinite(value.low):
        return Finding(Word.NOT_DECIDABLE, f"{value.estimate:.3g}", (f"descriptive: {_seeds(one)}",))
    if _seeds(one):
        return Finding(Word.NOT_DECIDABLE, told, (f"descriptive: {_seeds(one)}",))
    if said.low <= value.low and value.high <= said.high:
        return Finding(Word.SUPPORTED, told, ())
    if value.high < said.low or value.low > said.high:
        return Finding(Word.NOT_SUPPORTED, told, ("the interval lies outside",))
    return Finding(Word.NOT_DECIDABLE, told, ("the interval reaches across the limit",))


def numbers(one: Comparison) -> str:
    """The difference with all that belongs to it, on a line."""
    interval = one.interval
    if interval is None:
        return ""
    told = [f"{interval.level:.0%} interval, {interval.method}, {interval.scope}"]
    told += [f"q = {one.q:.2g} of {one.family} tests"] if one.q is not None else []
    told += [f"permutation p = {one.permutation_p:.2g}"] if one.permutation_p is not None else []
    told += [f"{counted(interval.n, 'condition')} in {counted(interval.n_contexts, 'context')}"]
    told += [counted(one.seeds, "seed")]
    if one.span is not None:
        told.append(f"span {one.span:.3g}")
    return f"{interval.estimate:+.3g} {_limits(interval)} against {one.theirs} ({'; '.join(told)})"


def counted(n: int, what: str) -> str:
    """`1 seed`, `2 seeds`."""
    return f"{n} {what}{'s' * (n != 1)}"


def _limits(interval: Interval) -> str:
    return f"[{interval.low:.3g}, {interval.high:.3g}]"

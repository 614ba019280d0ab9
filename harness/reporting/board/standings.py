"""Runs gathered into rows: one submission with one configuration on one task, with all its seeds, and where it stands."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from harness.contract.status import RunStatus
from harness.records.record import RunConfig
from harness.reporting.board.entry import SHOWN, Entry, GateWord
from harness.reporting.board.ranking import Ranking, rank
from harness.statistics.ranks import Place
from harness.verdicts.intervals import Side

RANKED_SPLIT = "test"
ISOLATED = ("container", "sandbox")
"""Levels of isolation that rank; below them a submission could have looked where it must not."""


@dataclass(frozen=True)
class Row:
    """One submission with one configuration on one task and evaluation split."""

    name: str
    """Name, with variant and parameters where they tell."""
    entries: tuple[Entry, ...]
    """The newest run of each seed, by seed; those that were scored, where any was."""
    others: tuple[Entry, ...] = ()
    """Runs of the same that do not speak: earlier tries of a seed, seeds that ended otherwise."""
    places: Mapping[str, Place] = field(default_factory=dict)
    """By metric; empty where it ranks nowhere."""
    unranked: str | None = None
    """Why it has no place at all."""

    @property
    def first(self) -> Entry:
        return self.entries[0]

    @property
    def submission(self) -> str:
        return self.first.record.submission.name

    @property
    def scored(self) -> bool:
        return self.first.scored

    @property
    def house(self) -> bool:
        return any(entry.house for entry in self.entries)

    @property
    def seeds(self) -> int:
        return len(self.entries)

    @property
    def isolation(self) -> str:
        """The level in force; several where its runs differ."""
        return ", ".join(sorted({entry.record.isolation for entry in self.entries}))

    @property
    def owner(self) -> str:
        return "harness authors" if self.house else "others"

    @property
    def failed_gates(self) -> tuple[GateWord, ...]:
        """Gates that failed in any of its runs."""
        named = {gate.name: gate for entry in self.entries for gate in entry.failed_gates}
        return tuple(named.values())

    @property
    def gates(self) -> tuple[int, int] | None:
        """Gates that passed in every run, of those that apply; None where it was not judged."""
        if any(entry.gates is None for entry in self.entries):
            return None
        apply = {
            gate.name
            for entry in self.entries
            for gate in entry.gates or ()
            if gate.state != "not applicable"
        }
        return len(apply) - len(self.failed_gates), len(apply)

    def value(self, metric: str) -> float | None:
        """Mean of the task's value over seeds; None where one of them has none."""
        return _mean([entry.value(metric) for entry in self.entries])

    def scaled(self, metric: str) -> float | None:
        """Mean of the scaled score over seeds."""
        return _mean([entry.scaled.get(metric) for entry in self.entries])

    def why_undefined(self, metric: str) -> str:
        """Why there is no value."""
        told = (entry.undefined.get(metric) for entry in self.entries)
        return next((reason for reason in told if reason), "undefined")

    def side(self) -> Side:
        """Its scores."""
        return Side(self.name, tuple(entry.table for entry in self.entries if entry.table is not None))


@dataclass(frozen=True)
class Standings:
    """One task, with everybody who answered it."""

    task: str
    ranked: tuple[Row, ...]
    """On test, with a place or with the reason why there is none; best group first."""
    validation: tuple[Row, ...]
    """On validation, by value; without places."""
    unscored: tuple[Row, ...]
    """Declined, failed, refused and held."""
    rankings: tuple[Ranking, ...]
    family: int
    """Tests that were adjusted together."""
    primary: str
    """The metric that the order follows."""

    @property
    def rows(self) -> tuple[Row, ...]:
        return (*self.ranked, *self.validation, *self.unscored)

    @cached_property
    def entries(self) -> tuple[Entry, ...]:
        """Every run of it, those that do not speak too."""
        return tuple(entry for row in self.rows for entry in (*row.entries, *row.others))

    @property
    def first(self) -> Entry:
        return self.rows[0].first

    def ranking(self, metric: str) -> Ranking | None:
        return next((one for one in self.rankings if one.metric == metric), None)


def standings(entries: Sequence[Entry], *, any_isolation: bool = False) -> tuple[Standings, ...]:
    """Every task of some runs, by name; `any_isolation` ranks runs below a sandbox too."""
    by_task: dict[str, list[Entry]] = {}
    for entry in entries:
        by_task.setdefault(entry.record.task.name, []).append(entry)
    return tuple(_task(name, by_task[name], any_isolation) for name in sorted(by_task))


def _task(name: str, entries: Sequence[Entry], any_isolation: bool) -> Standings:
    rows = list(_rows(entries))
    whole = [row for row in rows if row.scored and row.first.record.status is RunStatus.OK]
    judged = [row for row in whole if row.first.gates is not None]
    primary = judged[0].first.primary if judged else SHOWN[0]
    test = [row for row in whole if row.first.record.task.eval_split == RANKED_SPLIT]
    able = [row for row in test if not _unranked(row, any_isolation)]
    passports = next((row.first.uninformative for row in able), {})
    rankings, family = rank([row.side() for row in able], SHOWN, passports)
    placed = [_placed(row, rankings, primary, _unranked(row, any_isolation)) for row in test]
    validation = [row for row in whole if row not in test]
    return Standings(
        name,
        tuple(sorted(placed, key=lambda row: _order(row, primary))),
        tuple(sorted(validation, key=lambda row: _order(row, primary))),
        tuple(row for row in rows if row not in whole),
        rankings,
        family,
        primary,
    )


def _placed(row: Row, rankings: Sequence[Ranking], primary: str, why: str | None) -> Row:
    if why:
        return Row(row.name, row.entries, row.others, unranked=why)
    found = {one.metric: one.places[row.name] for one in rankings if row.name in one.places}
    if primary not in found:
        own = next(one for one in rankings if one.metric == primary)
        lost = own.left_out.get(row.name)
        why = own.why_not or f"it has no value of {primary} in {lost} conditions in which others have one"
    return Row(row.name, row.entries, row.others, found, why)


def _unranked(row: Row, any_isolation: bool) -> str | None:
    """Why a row on test may not be ranked, whatever its values."""
    told = dict.fromkeys(reason for entry in row.entries for reason in entry.not_ranked)
    weak = {entry.record.isolation for entry in row.entries} - set(ISOLATED)
    if weak and not any_isolation:
        told[f"isolation {', '.join(sorted(weak))}; only {' and '.join(ISOLATED)} rank"] = None
    return "; ".join(told) or None


def _order(row: Row, primary: str) -> tuple[float, float, str]:
    """Best group first, within it by value; those without a place last."""
    from harness.controls.scaled import goodness
    from harness.metrics.card import cards

    place, value = row.places.get(primary), row.value(primary)
    group = math.inf if place is None else place.group
    return group, math.inf if value is None else -goodness(cards()[primary], value), row.name


def _rows(entries: Sequence[Entry]) -> Iterator[Row]:
    """Rows in the order in which their submissions came first."""
    families: dict[tuple[str, ...], list[Entry]] = {}
    for entry in sorted(entries, key=lambda one: one.run):
        record = entry.record
        key = (record.submission.name, entry.config.setting_hash, record.task.eval_split)
        families.setdefault(key, []).append(entry)
    names = _labels([members[-1].config for members in families.values()], list(families))
    for name, members in zip(names, families.values(), strict=True):
        newest = {entry.record.seed: entry for entry in members}  # of the same seed the newest speaks
        speaking = [entry for entry in newest.values() if _sound(entry)] or list(newest.values())[-1:]
        speaking.sort(key=lambda entry: entry.record.seed)
        others = tuple(entry for entry in members if entry not in speaking)
        yield Row(name, tuple(speaking), others)


def _sound(entry: Entry) -> bool:
    return entry.scored and entry.record.status is RunStatus.OK


def _labels(configs: Sequence[RunConfig], keys: Sequence[tuple[str, ...]]) -> list[str]:
    """Names as short as tell the rows of one evaluation split apart."""
    forms = (_plain, _with_params, _with_version, _with_content)
    told = [_plain(config) for config in configs]
    for form in forms[1:]:
        pairs = [(name, key[-1]) for name, key in zip(told, keys, strict=True)]
        told = [
            form(config) if pairs.count(pair) > 1 else pair[0]
            for config, pair in zip(configs, pairs, strict=True)
        ]
    return told


def _plain(config: RunConfig) -> str:
    card = config.submission
    return card.name + (f"@{card.variant}" if card.variant else "")


def _with_params(config: RunConfig) -> str:
    told = ", ".join(f"{name}={value}" for name, value in sorted(config.params.passed.items()))
    return _plain(config) + (f" ({told})" if told else "")


def _with_version(config: RunConfig) -> str:
    return f"{_with_params(config)} {config.submission.version}"


def _with_content(config: RunConfig) -> str:
    return f"{_with_version(config)} {config.setting_hash[:7]}"


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known and len(known) == len(values) else None

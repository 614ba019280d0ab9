"""From the parts of a run to its sheet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from harness.controls.control_set import ControlScore
from harness.metrics.registry import HEADLINE, panels
from harness.records.run_folder import RunFolder
from harness.reporting.house import made_by_house
from harness.reporting.scorecard.badges import badges
from harness.reporting.scorecard.levels import conditions_of, levels, supported_of
from harness.reporting.scorecard.origin import origin_of
from harness.reporting.scorecard.parts import Parts, parts_of
from harness.reporting.scorecard.scores import adjusted, all_scores
from harness.reporting.scorecard.sentence import QUICK, sentence
from harness.reporting.scorecard.sheet import ClaimRow, ControlRow, GateRow, PanelSheet, Score, Sheet, known
from harness.reporting.scorecard.standing import ranked
from harness.reporting.scorecard.training import training_of
from harness.verdicts.against_controls import Standing, claims
from harness.verdicts.claims_of_runs import SEEDS_GATE
from harness.verdicts.gates_case import PRIMARY

OF_PICTURES = (
    "calibration",
    "conformal",
    "coverage",
    "decomposition",
    "ood_auroc",
    "risk_coverage",
    "sharpness",
)
"""The parts of the uncertainty panel that are drawn."""
KINDS = ("negative", "positive", "anchor", "sanity", "submission", "check")


def sheet_of_run(run: RunFolder) -> Sheet:
    """The scorecard of a run."""
    return compile_sheet(parts_of(run))


def compile_sheet(parts: Parts) -> Sheet:
    """Everything that a scorecard shows; the same parts give the same sheet."""
    record = parts.record
    house = made_by_house(record, parts.config)
    scores = all_scores(parts) if parts.metrics is not None else {}
    scores |= _ranked(parts, list(scores.values()))
    headline = tuple(adjusted([scores[key] for key in HEADLINE if key in scores]).values())
    told = _claims(parts)
    return Sheet(
        run=record.run,
        submission={
            **record.submission.model_dump(mode="json"),
            "label": parts.name,
            "authors": record.authors,
            "house": house,
        },
        task={
            **record.task.model_dump(mode="json"),
            "dataset": record.dataset.name,
            "split": record.split.name,
            "conditions": {} if parts.metrics is None else dict(parts.metrics["conditions"]),
            "unit": None if parts.metrics is None else parts.metrics["task"]["unit"],
        },
        status={
            "word": record.status.value,
            "reason": record.reason,
            "meaning": record.status.meaning,
            "exit_code": record.status.exit_code,
            "scored": parts.metrics is not None,
        },
        verdict=sentence(parts, headline, house=house),
        badges=badges(parts, house=house),
        headline=headline,
        claims=told[0],
        claims_reason=told[1],
        controls=_controls(parts, headline),
        controls_note=parts.scaled_note,
        gates=_gates(parts),
        training=training_of(parts.diagnostics),
        pictures=parts.pictures,
        provenance=origin_of(parts),
        log=parts.log,
        log_left_out=parts.log_left_out,
        **_of_metrics(parts, scores, headline),
    )


def _of_metrics(parts: Parts, scores: Mapping[str, Score], headline: Sequence[Score]) -> dict[str, Any]:
    """What only a scored run has."""
    metrics = parts.metrics
    if metrics is None:
        return {}
    uncertainty = metrics["uncertainty"]
    ratio = metrics["collapse"]["global"].get("variance_ratio", {})
    return {
        "panels": tuple(_panel(name, scores, metrics) for name in panels()),
        "supported": supported_of(metrics, headline),
        "uncertainty": {name: uncertainty[name] for name in OF_PICTURES if name in uncertainty},
        "variance": dict(metrics["variance"]),
        "variance_ratio": known(ratio.get("value")),
        "conditions": conditions_of(parts, parts.verdict.primary if parts.verdict else PRIMARY[0]),
        "notes": (*metrics["notes"], *metrics["predictions"]["notes"]),
    }


def _panel(name: str, scores: Mapping[str, Score], metrics: Mapping[str, Any]) -> PanelSheet:
    own = tuple(row for row in scores.values() if row.panel == name)
    return PanelSheet(name, panels()[name].title, own, levels(name, own, metrics))


def _ranked(parts: Parts, rows: Sequence[Score]) -> dict[str, Score]:
    if parts.controls is None or parts.side is None:
        return {}
    return ranked(rows, parts.side, parts.controls, parts.own)


def _claims(parts: Parts) -> tuple[tuple[ClaimRow, ...], str | None]:
    """Claims of this one run: with one seed each says what it lacks."""
    if parts.metrics is None:
        return (), "nothing was scored"
    if parts.verdict is None or parts.controls is None or parts.side is None:
        return (), QUICK
    verdict, record = parts.verdict, parts.record
    failed = tuple(sorted({gate.name for gate in verdict.gates if gate.state == "fail"} - {SEEDS_GATE}))
    standing = Standing(
        f"{record.task.name}, {record.task.eval_split}",
        None if verdict.passports is None else verdict.passports.passports,
        failed,
        None if verdict.specificity is None else verdict.specificity.p,
    )
    found = claims(parts.side, parts.controls, HEADLINE, standing, own=parts.own, against=parts.against)
    return tuple(ClaimRow(one.metric, one.baseline, one.shown, one.text) for one in found), None


def _controls(parts: Parts, headline: Sequence[Score]) -> tuple[ControlRow, ...]:
    if parts.controls is None:
        return ()
    ordered = sorted(parts.controls, key=lambda one: (KINDS.index(one.card.kind), one.card.name))
    return tuple(_control(one, [row.key for row in headline]) for one in ordered)


def _control(one: ControlScore, metrics: Sequence[str]) -> ControlRow:
    values = tuple(known(one.overall(metric)) for metric in metrics) if one.tables else ()
    numbers = {name: known(value) for name, value in sorted(one.numbers.items())}
    card = one.card
    return ControlRow(card.name, card.kind, card.description, card.expected, values, numbers, one.reason)


def _gates(parts: Parts) -> tuple[GateRow, ...]:
    if parts.verdict is None:
        return ()
    return tuple(
        GateRow(
            gate.name, gate.state, None if gate.number is None else known(gate.number), gate.reason, gate.held
        )
        for gate in parts.verdict.gates
    )

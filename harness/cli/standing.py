"""Where a judged run stands: each headline metric between its two anchors, and what the gates found."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import typer

from harness.cli.scores import ARROWS, headline, number, print_remarks, print_scores

if TYPE_CHECKING:
    from harness.records.run_folder import RunFolder
    from harness.verdicts.judge import Verdict

COLUMNS = ("metric", "value", "negative", "replicate", "scaled", "n", "ranks")


def print_run_scores(title: str, run: RunFolder) -> None:
    """The scores of a run; where it was held against controls, between negative control (0) and replicate (1)."""
    metrics = run.metrics()
    if metrics is None:
        return
    if not {"controls.json", "verdict.json"} <= run.record.files.keys():
        print_scores(title, metrics)
        return
    from harness.cli.show import print_table
    from harness.storage import read_json
    from harness.verdicts.judge import read_verdict

    verdict = read_verdict(run)
    scaled = read_json(run.path / "controls.json", "controls")["scaled"]
    names = headline(metrics)
    print_table(title, list(COLUMNS), [_row(name, metrics, scaled.get(name, {}), verdict) for name in names])
    print_remarks(metrics, names)
    print_gates_in_short(verdict)


def print_gates_in_short(verdict: Verdict) -> None:
    """How many gates a run passed, and why it failed the others."""
    states = [gate.state for gate in verdict.gates]
    told = (
        f"{states.count(state)} {state}" for state in ("pass", "fail", "not applicable") if state in states
    )
    typer.echo(f"gates: {', '.join(told)}")
    for gate in verdict.gates:
        if gate.state == "fail":
            typer.echo(f"  {gate.name}: {gate.reason}")


def _row(name: str, metrics: Mapping[str, Any], scaled: Mapping[str, Any], verdict: Verdict) -> list[object]:
    from harness.metrics.card import cards

    panel, _, metric = name.partition(".")
    card, summary = cards()[name], metrics[panel]["global"][metric]
    passport = None if verdict.passports is None else verdict.passports.passports.get(name)
    return [
        f"{metric} {ARROWS.get(card.direction.value, f'→ {card.optimum}')}",
        number(summary["value"]),
        number(scaled.get("negative")),
        number(scaled.get("positive")),
        number(scaled.get("scaled")),
        summary.get("n", metrics["conditions"].get("reported", 0)),
        "–" if passport is None else "yes" if passport.granted else "no",
    ]

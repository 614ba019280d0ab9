"""What may be said of a submission after all its runs: claims against the strongest baseline of its task."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from harness.controls.baselines import same_rule
from harness.controls.control_set import ControlSet
from harness.controls.document import CONTROLS_FILE, read_controls
from harness.metrics.registry import HEADLINE
from harness.records.run_folder import RunFolder
from harness.verdicts.against_controls import Standing, claims
from harness.verdicts.claims import Claim
from harness.verdicts.entrants import Entrant
from harness.verdicts.judge import VERDICT_FILE, Verdict, read_verdict

SEEDS_GATE = "enough seeds"
"""The gate that a run alone is not asked; claims count seeds themselves."""


@dataclass(frozen=True)
class Said:
    """The claims of one submission, or why there are none at all."""

    name: str
    claims: tuple[Claim, ...]
    reason: str | None

    def document(self) -> dict[str, Any]:
        """The claims as a JSON object."""
        return {
            "submission": self.name,
            "claims": [one.document() for one in self.claims],
            "reason": self.reason,
        }


def verdict_of(run: RunFolder) -> Verdict | None:
    """The verdict on a run; None where it was not judged."""
    return read_verdict(run) if VERDICT_FILE in run.record.files else None


def controls_of_runs(runs: Sequence[RunFolder]) -> ControlSet | None:
    """The controls of the task that some runs answered, from the first that was held against them."""
    for run in runs:
        found = read_controls(run.path) if CONTROLS_FILE in run.record.files else None
        if found is not None:
            return found
    return None


def uninformative(verdicts: Sequence[Verdict | None], metrics: Sequence[str]) -> dict[str, str]:
    """Metrics that have no passport on this task, with the reason; of those that were judged."""
    told = next((one.passports for one in verdicts if one is not None and one.passports is not None), None)
    if told is None:
        return {}
    return {
        metric: told.passports[metric].reason
        for metric in metrics
        if metric in told.passports and not told.passports[metric].granted
    }


def claims_of(entrant: Entrant, metrics: Sequence[str] = HEADLINE, others: Sequence[RunFolder] = ()) -> Said:
    """Claims of a submission on its task: gates clean in every run, specific in every run, seeds in the interval.

    `others` are runs of the same configuration that it left out; then it claims nothing.
    """
    verdicts = [verdict_of(run) for run in entrant.runs]
    controls = controls_of_runs(entrant.runs)
    judged = [one for one in verdicts if one is not None]
    if controls is None or len(judged) < len(verdicts):
        return Said(
            entrant.name, (), "a run was scored without controls, so that nothing can be claimed of it"
        )
    first = judged[0]
    failed = {gate.name for one in judged for gate in one.gates if gate.state == "fail"} - {SEEDS_GATE}
    tested = [one.specificity.p for one in judged if one.specificity is not None]
    record = entrant.runs[0].record
    standing = Standing(
        f"{record.task.name}, {record.task.eval_split}",
        None if first.passports is None else first.passports.passports,
        tuple(sorted(failed)),
        max(tested) if len(tested) == len(judged) else None,
        len(others),
    )
    own = same_rule(record.submission.content_hash, entrant.runs[0].config().params.resolved)
    family = list(
        dict.fromkeys((*HEADLINE, *metrics))
    )  # who asks for one metric alone has not declared another family
    found = claims(entrant.side(), controls, family, standing, own=own)
    return Said(entrant.name, tuple(claim for claim in found if claim.metric in metrics), None)

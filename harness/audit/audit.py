"""The lie detector: every check against one submission as a black box, on one page."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from harness.audit.finding import Audit, Finding
from harness.audit.known_worlds import leaky_finding, no_signal_finding, shuffled_graph_finding
from harness.audit.reruns import renamed_finding, same_seed_finding
from harness.audit.secrets import canary_finding, plant_marker, planted_finding
from harness.audit.stage import Stage, canaries, case_of
from harness.audit.subject import Subject
from harness.contract.content import submission_hash
from harness.datasets.dataset import PerturbDataset
from harness.splits.split import Split

CHECKS = (
    "canary", "planted marker", "no signal", "leaky", "same seed twice", "renamed perturbations", "shuffled graph",
)  # fmt: skip
Say = Callable[[str], None]


def audit(
    subject: Subject,
    *,
    task: tuple[PerturbDataset, Split] | None = None,
    checks: Sequence[str] = CHECKS,
    say: Say = lambda _: None,
) -> Audit:
    """Run the checks that are asked for. `task` is where secrets are hidden and runs repeated; by default a demo screen.

    Only validation truth is opened. Everything is made in a private folder that is gone afterwards, so that what is
    planted there was never seen before.
    """
    with tempfile.TemporaryDirectory(prefix="harness-audit-") as scratch:
        room = Path(scratch)
        findings = _main_task(subject, task, room, checks, say)
        worlds = {
            "no signal": no_signal_finding,
            "leaky": leaky_finding,
            "shuffled graph": shuffled_graph_finding,
        }
        for name, check in worlds.items():
            if name in checks:
                say(name)
                findings[name] = check(subject, room)
    return Audit(
        submission=subject.label,
        content_hash=submission_hash(subject.folder, subject.manifest),
        runtime=subject.runtime.name,
        isolation=subject.runtime.isolation,
        task="a demo screen" if task is None else f"{task[0].name}:{task[1].name}",
        findings=tuple(findings[name] for name in CHECKS if name in findings),
    )


def _main_task(
    subject: Subject,
    task: tuple[PerturbDataset, Split] | None,
    room: Path,
    checks: Sequence[str],
    say: Say,
) -> dict[str, Finding]:
    """The checks that share one task and one first run."""
    wanted = {"canary", "planted marker", "same seed twice", "renamed perturbations"} & set(checks)
    if not wanted:
        return {}
    if task is None:
        stage = Stage.of_preset("demo", room, subject.manifest)
    else:
        stage = Stage.of(*task, room / "tasks", subject.manifest)
    plant = plant_marker(stage)
    say("first run")
    first = subject.run(stage.task, room / "first")
    findings: dict[str, Finding] = {}
    if "canary" in wanted:
        say("canary")
        evaluation = stage.score(first, subject.manifest)
        findings["canary"] = canary_finding(case_of(evaluation, canaries(evaluation)))
    if "planted marker" in wanted:
        findings["planted marker"] = planted_finding(stage, plant, first)
    if "same seed twice" in wanted:
        say("same seed twice")
        findings["same seed twice"] = same_seed_finding(first, subject.run(stage.task, room / "again"))
    if "renamed perturbations" in wanted:
        say("renamed perturbations")
        findings["renamed perturbations"] = renamed_finding(stage, subject, first, room / "renaming")
    return findings

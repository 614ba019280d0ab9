"""Checks in worlds whose answer is known: nothing to learn, a covariate that tells, a graph that is not the true one."""

from __future__ import annotations

from pathlib import Path

from harness.audit.finding import Finding, found, skipped
from harness.audit.secrets import of_gate
from harness.audit.stage import Stage
from harness.audit.subject import Subject
from harness.datasets.graphs import graphs_beside, read_graph, rewire, save_graph
from harness.scoring.direct_table import table_of
from harness.verdicts.gates_honesty import canaries_silent, not_too_good
from harness.verdicts.gates_skill import beats_controls


def no_signal_finding(subject: Subject, room: Path) -> Finding:
    """Where perturbed cells are control cells it must not beat no effect and the mean."""
    stage = Stage.of_preset("no-signal", room, subject.manifest)
    evaluation = stage.score(subject.run(stage.task, room / "no-signal-run"), subject.manifest)
    gate = beats_controls(stage.case(evaluation))
    ok = gate.state != "pass"
    said = "it finds nothing where there is nothing" if ok else "it finds skill where there is none"
    return found("no signal", ok, gate.number, f"{said}; {gate.reason}", leak=True)


def leaky_finding(subject: Subject, room: Path) -> Finding:
    """Where a covariate tells the response it may use that, and still cannot know more than the truth's noise allows."""
    stage = Stage.of_preset("leaky", room, subject.manifest)
    evaluation = stage.score(subject.run(stage.task, room / "leaky-run"), subject.manifest)
    case = stage.case(evaluation)
    canary, good = canaries_silent(case), not_too_good(case)
    worst = canary if canary.state == "fail" else good
    return of_gate("leaky", worst, leak=True)


def shuffled_graph_finding(subject: Subject, room: Path) -> Finding:
    """With unseen perturbations, the true graph must help more than one with its ends exchanged at random."""
    name = "shuffled graph"
    if "graph" not in subject.manifest.claims.inputs:
        return skipped(name, "it does not read graphs")
    demo = Stage.of_preset("demo", room, subject.manifest)
    true = tuple(graphs_beside(demo.dataset.path))
    other = tuple(
        save_graph(rewire(read_graph(path), 0), _made(room / "rewired") / path.name) for path in true
    )
    stages = {
        kind: Stage.of_preset("demo", room, subject.manifest, regime="perturbation_ood", graphs=graphs)
        for kind, graphs in (("true", true), ("rewired", other))
    }
    scores = {
        kind: stage.score(subject.run(stage.task, room / f"graph-{kind}"), subject.manifest)
        for kind, stage in stages.items()
    }
    case = stages["true"].case(scores["true"])
    gain = case.against(case.primary, table_of(scores["rewired"]))
    said = "the true graph helps" if gain.above else "a graph that is wrong does as well"
    reason = f"{said}: {case.primary} gains {gain.estimate:.3g} ({gain.low:.3g} … {gain.high:.3g})"
    return found(name, gain.above, gain.estimate, reason)


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder

"""The gates of a run, in order: each passes, fails or does not apply, with its number and its reason."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from harness.contract.status import RunStatus
from harness.errors import ExitCode
from harness.verdicts.gates_case import Case, Gate, passed, skipped
from harness.verdicts.gates_honesty import canaries_silent, not_too_good
from harness.verdicts.gates_skill import beats_controls, no_collapse, right_scale, uses_perturbation
from harness.verdicts.gates_uncertainty import calibrated, ood_aware

ENOUGH_SEEDS = 3


def complete(case: Case) -> Gate:
    """Every metric of every panel has a value or a reason."""
    missing = case.document["missing"]
    shown = ", ".join(missing[:3])
    return passed(
        "complete",
        not missing,
        len(missing),
        f"{len(missing)} metrics have neither value nor reason: {shown}"
        if missing
        else "every panel is whole",
    )


def enough_seeds(case: Case) -> Gate:
    """Claims come from three training seeds or more; a run judged alone is described, and claims nothing."""
    name = "enough seeds"
    if case.seeds == 1:
        return skipped(
            name, f"one run is a descriptive verdict; claims come from {ENOUGH_SEEDS} seeds or more"
        )
    ok = case.seeds >= ENOUGH_SEEDS
    said = "enough for claims" if ok else f"{ENOUGH_SEEDS} are needed for claims"
    return passed(name, ok, case.seeds, f"{case.seeds} seeds: {said}")


GATES: tuple[Callable[[Case], Gate], ...] = (
    complete,
    beats_controls,
    uses_perturbation,
    right_scale,
    not_too_good,
    canaries_silent,
    no_collapse,
    calibrated,
    ood_aware,
    enough_seeds,
)


def judge_gates(case: Case) -> tuple[Gate, ...]:
    """The outcome of every gate."""
    return tuple(gate(case) for gate in GATES)


def clean(gates: Sequence[Gate]) -> bool:
    """Whether no gate fails."""
    return all(gate.state != "fail" for gate in gates)


def gates_exit_code(gates: Sequence[Gate]) -> int:
    """17 where a leak is suspected, 3 where another gate fails, else 0."""
    if any(gate.held for gate in gates):
        return RunStatus.HELD.exit_code
    return int(ExitCode.REFUSED if any(gate.state == "fail" for gate in gates) else ExitCode.OK)

"""Each gate on a task's own controls taken as submissions, and the level of the gate that says who has skill."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import binomtest

from harness.controls.catalogue import BASELINES
from harness.controls.control_set import ControlScore, ControlSet
from harness.controls.task_controls import task_controls
from harness.datasets.dataset import PerturbDataset
from harness.splits.create import create_split
from harness.tasks.build import build_task
from harness.verdicts.gates import GATES, enough_seeds, gates_exit_code, judge_gates
from harness.verdicts.gates_case import Case, Gate
from harness.verdicts.gates_honesty import (
    canaries_silent,
    noise_of_truth,
    not_too_good,
    perfect_model_correlation,
)
from harness.verdicts.gates_skill import beats_controls, no_collapse, right_scale, uses_perturbation
from harness.verdicts.gates_uncertainty import area_error, calibrated, ood_aware
from harness.verdicts.passports import Condition, Passport
from harness.verdicts.task_passports import passports_of


def case_of(controls: ControlSet, name: str, **more: object) -> Case:
    """A control's own scores, as if a submission had them."""
    table = controls[name].tables[0]
    panels: dict[str, dict[str, dict[str, dict[str, float | None]]]] = {}
    for metric, value in table.overall.items():
        panel, _, short = metric.partition(".")
        told = {"value": None if math.isnan(value) else value, "reason": "undefined"}
        panels.setdefault(panel, {"global": {}})["global"][short] = told
    kinds = [one.kind for one in table.conditions]
    document = panels | {
        "missing": [],
        "variance": {"source": "native"},
        "conditions": {kind: kinds.count(kind) for kind in set(kinds)},
    }
    given = {"passports": {}, "seeds": 1} | more
    return Case(document, table, controls, **given)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def controls(demo_controls: ControlSet) -> ControlSet:
    return demo_controls


def test_the_train_mean_beats_nobody(controls: ControlSet) -> None:
    found = beats_controls(case_of(controls, "global_mean"))
    assert found.state == "fail"
    assert set(found.details["controls"]) >= {"control_only", "global_mean", "per_perturbation_mean"}


def test_a_baseline_is_not_held_against_itself(controls: ControlSet) -> None:
    assert "ridge" not in beats_controls(case_of(controls, "ridge", own="ridge")).details["controls"]
    assert "ridge" in beats_controls(case_of(controls, "ridge")).details["controls"]


def test_the_truth_beats_all_controls_and_is_too_good(controls: ControlSet) -> None:
    case = case_of(controls, "oracle")
    assert beats_controls(case).state == "pass"
    found = not_too_good(case)
    assert found.state == "fail"
    assert found.held
    assert "leak" in found.reason


def test_copies_of_some_conditions_do_not_hide_in_a_mean(controls: ControlSet) -> None:
    honest, copy = controls["global_mean"].tables[0], controls["oracle"].tables[0]
    case = case_of(controls, "global_mean")
    mine, truth = honest.values["calibrated.mse"].copy(), copy.values["calibrated.mse"]
    place = {one[:3]: i for i, one in enumerate(copy.conditions)}
    reported = [i for i, one in enumerate(honest.conditions) if one.kind == "reported"]
    for i in reported[: len(reported) // 4]:
        mine[i] = truth[place[honest.conditions[i][:3]]]
    partly = replace(honest, values={**honest.values, "calibrated.mse": mine})
    found = not_too_good(replace(case, table=partly))
    assert found.held
    assert "copies, noise included" in found.reason


@pytest.mark.parametrize("name", BASELINES)
def test_no_baseline_is_too_good(controls: ControlSet, name: str) -> None:
    assert not_too_good(case_of(controls, name)).state == "pass"


def test_the_noise_of_the_truth_is_found_from_scores_alone(controls: ControlSet) -> None:
    noise = noise_of_truth(case_of(controls, "ridge"))
    known = noise[np.isfinite(noise)]
    assert len(known) > len(noise) / 2
    assert (known > 0).all()
    assert known.std() < known.mean()


def test_without_a_passport_nothing_is_beaten(controls: ControlSet) -> None:
    none = Passport("calibrated.wmse", False, (Condition("bracketed", "fail", 0.0, "no range"),), 9)
    found = beats_controls(case_of(controls, "oracle", passports={"calibrated.wmse": none}))
    assert found.state == "fail"
    assert "uninformative" in found.reason


def test_a_collapsed_answer_is_named(controls: ControlSet) -> None:
    assert no_collapse(case_of(controls, "global_mean")).state == "fail"
    assert no_collapse(case_of(controls, "nearest_train")).state == "pass"


def test_gates_of_a_quick_look_do_not_apply(controls: ControlSet) -> None:
    bare = replace(case_of(controls, "ridge"), controls=ControlSet({}))
    for gate in (beats_controls, uses_perturbation, right_scale, not_too_good, canaries_silent):
        assert gate(bare).state == "not applicable", gate


@pytest.mark.parametrize(("p", "state"), [(0.2, "pass"), (0.001, "pass"), (0.0009, "fail")])
def test_a_submission_that_knows_canaries_is_held(controls: ControlSet, p: float, state: str) -> None:
    from harness.controls.catalogue import CONTROLS

    canary = ControlScore(CONTROLS["canary"], numbers={"p": p, "correlation": 0.1, "n": 5})
    found = canaries_silent(
        replace(case_of(controls, "ridge"), controls=controls | ControlSet({"canary": canary}))
    )
    assert found.state == state
    assert found.held == (state == "fail")


def test_a_filled_variance_is_not_judged(controls: ControlSet) -> None:
    case = case_of(controls, "ridge")
    filled = replace(case, document={**case.document, "variance": {"source": "filled"}})
    assert calibrated(filled).state == ood_aware(filled).state == "not applicable"


def test_three_seeds_are_enough(controls: ControlSet) -> None:
    assert enough_seeds(case_of(controls, "ridge", seeds=3)).state == "pass"
    assert enough_seeds(case_of(controls, "ridge", seeds=2)).state == "fail"
    alone = enough_seeds(case_of(controls, "ridge"))
    assert alone.state == "not applicable"
    assert "descriptive" in alone.reason


def test_every_gate_says_its_name_state_number_and_reason(controls: ControlSet) -> None:
    gates = judge_gates(case_of(controls, "ridge"))
    assert len(gates) == len(GATES) == len({gate.name for gate in gates})
    for gate in gates:
        assert gate.reason
        assert Gate(**gate.document()).name == gate.name


def test_exit_codes_tell_a_leak_from_a_failure() -> None:
    good, bad, held = (
        Gate("a", "pass", 1.0, ""), Gate("b", "fail", 0.0, ""), Gate("c", "fail", 0.0, "", holds=True),
    )  # fmt: skip
    assert [gates_exit_code(gates) for gates in ([good], [good, bad], [bad, held])] == [0, 3, 17]


def test_a_perfect_model_correlates_by_the_root_of_reliability() -> None:
    assert perfect_model_correlation(0.727) == pytest.approx(0.9175, abs=1e-3)
    assert perfect_model_correlation(1.0) == 1.0


def test_the_error_of_an_area_shrinks_with_more_conditions() -> None:
    assert area_error(0.7, 100, 100) < area_error(0.7, 10, 10) / 2.5


def pooled(dataset: PerturbDataset, cache: Path) -> list[tuple[str, bool, bool]]:
    """Baseline, whether it passes without passports, whether it passes with them."""
    split = create_split(dataset, "context_ood")
    task = build_task(dataset, split, "val", cache=cache)
    controls = task_controls(dataset, split, task, workers=1)
    passports = passports_of(controls)
    found = []
    for name in BASELINES:
        case = case_of(controls, name, own=name)
        bare = beats_controls(case).state == "pass"
        found.append((name, bare, beats_controls(replace(case, passports=passports)).state == "pass"))
    return found


def check_level(found: list[tuple[str, bool, bool]]) -> None:
    wins = sum(bare for _, bare, _ in found)
    bound = binomtest(wins, len(found)).proportion_ci(0.95)
    print(
        f"beats controls on no-signal: {wins} of {len(found)}, rate within {bound.low:.3f} … {bound.high:.3f}"
    )
    assert bound.low <= 0.05
    assert not any(claimed for _, _, claimed in found)


def test_where_there_is_no_signal_no_baseline_has_skill(
    preset_dataset: Callable[..., PerturbDataset], tmp_path: Path
) -> None:
    check_level(pooled(preset_dataset("no-signal", scale=0.05), tmp_path))


@pytest.mark.long
def test_over_three_hundred_runs_without_signal_the_gate_keeps_its_level(
    preset_dataset: Callable[..., PerturbDataset], tmp_path: Path
) -> None:
    seeds = range(1, 2 + 300 // len(BASELINES))
    found = [
        one
        for seed in seeds
        for one in pooled(preset_dataset("no-signal", scale=0.05, seed=seed), tmp_path / str(seed))
    ]
    assert len(found) >= 300
    check_level(found)

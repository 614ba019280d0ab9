"""The verdict on one run: its gates, and whether a leak is suspected. Written as `verdict.json` into the run folder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from harness.controls.control_set import ControlSet
from harness.digest import file_hash
from harness.errors import ChangedError, HarnessError
from harness.records.run_folder import RunFolder
from harness.scoring.score_table import ScoreTable
from harness.statistics.permutation import Specificity
from harness.storage import read_json
from harness.verdicts.gates import clean, gates_exit_code, judge_gates
from harness.verdicts.gates_case import Case, Gate
from harness.verdicts.task_passports import TaskPassports

VERDICT_FILE = "verdict.json"
NOT_JUDGED = "it was scored without controls, so that nothing can be claimed of it"


@dataclass(frozen=True)
class Verdict:
    """What was found of one run."""

    primary: str
    """The metric that carries its gates."""
    gates: tuple[Gate, ...]
    passports: TaskPassports | None
    specificity: Specificity | None = None
    """Whether it knows which perturbation it speaks of; None where that was not tested."""

    @property
    def held(self) -> bool:
        """Whether a gate suspects a leak."""
        return any(gate.held for gate in self.gates)

    @property
    def reason(self) -> str:
        """Why it is held, gate by gate."""
        return "; ".join(f"{gate.name}: {gate.reason}" for gate in self.gates if gate.held)

    def gate(self, name: str) -> Gate:
        """One gate by name."""
        return next(gate for gate in self.gates if gate.name == name)

    @property
    def exit_code(self) -> int:
        return gates_exit_code(self.gates)

    def document(self) -> dict[str, Any]:
        """The content of `verdict.json`."""
        return {
            "schema": 1,
            "primary": self.primary,
            "held": self.held,
            "clean": clean(self.gates),
            "gates": [gate.document() for gate in self.gates],
            "passports": None if self.passports is None else self.passports.document(),
            "specificity": None if self.specificity is None else asdict(self.specificity),
        }

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> Verdict:
        """From its document."""
        passports, tested = document["passports"], document.get("specificity")
        return cls(
            document["primary"],
            tuple(Gate(**gate) for gate in document["gates"]),
            None if passports is None else TaskPassports.of(passports),
            None if tested is None else Specificity(**tested),
        )


def judge(
    document: Mapping[str, Any],
    table: ScoreTable,
    controls: ControlSet,
    passports: TaskPassports | None,
    own: str | None = None,
    seeds: int = 1,
    specificity: Specificity | None = None,
) -> Verdict:
    """Judge a scored run by the controls of its task and by its own.

    `document` and `table` are its `metrics.json` and `metrics.parquet`; `own` is the control that it is, if any.
    `specificity` is what `harness.verdicts.specificity` found of its predictions; without it no claim can be made.
    """
    granted = {} if passports is None else passports.passports
    case = Case(document, table, controls, granted, own, seeds)
    return Verdict(case.primary, judge_gates(case), passports, specificity)


def read_verdict(run: RunFolder) -> Verdict:
    """The verdict of a run, which has to be the one that its record holds."""
    path = run.path / VERDICT_FILE
    if VERDICT_FILE not in run.record.files:
        raise HarnessError(
            "this run was not judged",
            where=run.path,
            got=f"a {VERDICT_FILE} that its record does not know" if path.exists() else f"no {VERDICT_FILE}",
            mend="it was declined, failed, or submitted with --no-controls; submit it again with controls",
        )
    found = file_hash(path) if path.is_file() else "no such file"
    if found != run.record.files[VERDICT_FILE]:
        raise ChangedError(
            "the verdict has changed", where=path, got=found, expected=run.record.files[VERDICT_FILE]
        )
    return Verdict.of(read_json(path, "verdict"))

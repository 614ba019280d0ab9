"""The badges under a verdict: each one word on the run, with its colour and its sign."""

from __future__ import annotations

from collections.abc import Mapping

from harness.contract.status import RunStatus
from harness.reporting.scorecard.parts import Parts
from harness.reporting.scorecard.sheet import Badge, Kind

SCORED = (RunStatus.OK, RunStatus.INCOMPLETE, RunStatus.HELD)
OF_STATE: Mapping[str, Kind] = {"pass": "good", "fail": "bad", "not applicable": "none"}


def badges(parts: Parts, *, house: bool) -> tuple[Badge, ...]:
    """What a reader should see at a glance."""
    record = parts.record
    found = [_status(parts)]
    if parts.verdict is not None:
        beats, calibrated = parts.verdict.gate("beats controls"), parts.verdict.gate("calibrated")
        word = {"pass": "controls beaten", "fail": "controls not beaten"}.get(
            beats.state, "controls not applicable"
        )
        found.append(Badge(word, OF_STATE[beats.state], beats.reason))
        word = {"pass": "calibrated", "fail": "not calibrated"}.get(
            calibrated.state, "calibration not judged"
        )
        found.append(Badge(word, OF_STATE[calibrated.state], calibrated.reason))
        counted = [gate.state for gate in parts.verdict.gates if gate.state != "not applicable"]
        passed = counted.count("pass")
        found.append(
            Badge(
                f"{passed} of {len(counted)} gates passed",
                "good" if passed == len(counted) else "warn",
                "gates that apply to one run",
            )
        )
    elif parts.metrics is not None:
        found.append(Badge("no controls", "warn", "a quick look, of which nothing can be claimed"))
    if parts.metrics is not None and parts.metrics["variance"]["source"] != "native":
        found.append(
            Badge(f"variance {parts.metrics['variance']['source']}", "warn", "not the submission's own")
        )
    found.append(_isolation(parts))
    if parts.sealed:
        found.append(
            Badge("sealed", "good", "record and page are bound by hashes; harness verify checks them")
        )
    else:
        found.append(Badge("not sealed", "warn", "a file that was scored, and no run"))
    found.append(_openings(parts))
    if house:
        found.append(Badge("by the harness's authors", "warn", "they are judge and party"))
    if record.provenance.git_dirty:
        found.append(Badge("uncommitted changes", "warn", "the harness differed from its git revision"))
    return tuple(found)


def _status(parts: Parts) -> Badge:
    record = parts.record
    if record.status is RunStatus.OK:
        return Badge("panels complete", "good", record.reason)
    kind: Kind = "none" if record.status in (RunStatus.DECLINED, RunStatus.INTERRUPTED) else "bad"
    return Badge(record.status.value.replace("_", " "), kind, record.status.meaning)


def _isolation(parts: Parts) -> Badge:
    record = parts.record
    if record.guarantees is None:
        return Badge(f"isolation: {record.isolation}", "none", "the submission did not run here")
    lacking = record.guarantees.lacking
    told = f"without {', '.join(lacking)}" if lacking else "everything that an official run needs"
    return Badge(f"isolation: {record.isolation}", "warn" if lacking else "good", told)


def _openings(parts: Parts) -> Badge:
    record = parts.record
    if record.look is not None:
        looks = record.look.family_looks
        return Badge(f"test openings: {looks}", "plain" if looks == 1 else "warn", record.look.sentence)
    split = record.task.eval_split
    if not parts.sealed and split == "test":
        return Badge("test opened", "warn", "by scoring this file; the ledger has a line of it")
    told = "validation, which may be looked at freely" if split == "val" else "nothing of test was opened"
    return Badge("validation" if split == "val" else f"{split}, not opened", "plain", told)

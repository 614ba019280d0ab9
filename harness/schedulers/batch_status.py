"""How far a batch is: finish markers first, then who still works on it, then, where it can be had, why a part is missing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from harness.contract.status import RunStatus
from harness.schedulers.batch import Batch, Part
from harness.schedulers.batch_markers import Mark, Marker, is_held, marked, read_marker, working


class PartState(StrEnum):
    """Where a part is."""

    FINISHED = "finished"
    """It stands in a run folder, whatever its status."""
    RUNNING = "running"
    PENDING = "pending"
    """Somebody will start it."""
    WAITING = "waiting"
    """It has run; nobody is there to score it. `resume` mends this."""
    REFUSED = "refused"
    """The harness could not do it, and says why. `resume` tries again."""
    UNFINISHED = "unfinished"
    """Not done, and nobody is at it. `resume` mends this."""


LEFT = (PartState.WAITING, PartState.REFUSED, PartState.UNFINISHED)
"""What only `resume` will bring to an end."""


@dataclass(frozen=True)
class PartStatus:
    """One part."""

    part: Part
    state: PartState
    status: RunStatus | None
    """Of its run."""
    detail: str
    path: str | None

    def document(self) -> dict[str, object]:
        """For `--json`."""
        return {
            "part": self.part.number,
            "label": self.part.label,
            "state": self.state,
            "status": self.status,
            "detail": self.detail,
            "path": self.path,
            "axes": self.part.axes,
        }


@dataclass(frozen=True)
class BatchStatus:
    """All parts."""

    batch: Batch
    parts: list[PartStatus]
    collecting: bool = False
    """Whether the last job, which puts together what came out, is still to come."""

    @property
    def counts(self) -> dict[str, int]:
        return dict(Counter(one.state.value for one in self.parts))

    @property
    def finished(self) -> bool:
        return all(one.state is PartState.FINISHED for one in self.parts)

    @property
    def moving(self) -> bool:
        """Whether anything will still happen by itself."""
        return self.collecting or any(
            one.state in (PartState.RUNNING, PartState.PENDING) for one in self.parts
        )

    def document(self) -> dict[str, object]:
        """For `--json`."""
        return {
            "batch": self.batch.name,
            "on": self.batch.plan.on,
            "created": self.batch.plan.created,
            "counts": self.counts,
            "finished": self.finished,
            "parts": [one.document() for one in self.parts],
        }


def batch_status(batch: Batch, *, ask: bool = True) -> BatchStatus:
    """The state of every part. `ask` False looks at the markers alone, and asks no scheduler."""
    unfinished = {part.number for part in batch.plan.parts} - marked(batch)["finished"]
    live, collecting = _live(batch) if ask else ({}, False)
    done = marked(batch)  # after the scheduler was asked: a part that ended meanwhile has its marker by now
    lost = _lost(batch) if ask and unfinished - set(live) - done["finished"] - done["fault"] else {}
    parts = [_status(batch, part, done, live, lost) for part in batch.plan.parts]
    return BatchStatus(batch, parts, collecting)


def _status(
    batch: Batch,
    part: Part,
    done: Mapping[Mark, set[int]],
    live: Mapping[int, tuple[str, str]],
    lost: Mapping[int, str],
) -> PartStatus:
    number = part.number
    if number in done["finished"]:
        marker = read_marker(batch, number, "finished") or Marker(at="", host="")
        return PartStatus(part, PartState.FINISHED, marker.status, marker.reason, marker.path)
    if number in live:
        step, state = live[number]
        on = PartState.RUNNING if state == "RUNNING" else PartState.PENDING
        return PartStatus(part, on, None, f"{step}, {state.lower()}", None)
    if number in done["fault"]:
        fault = read_marker(batch, number, "fault")
        return PartStatus(part, PartState.REFUSED, None, fault.reason if fault else "", None)
    left = PartState.WAITING if number in done["ran"] else PartState.UNFINISHED
    why = "it has run, and waits to be scored" if left is PartState.WAITING else "nobody is at it"
    return PartStatus(part, left, None, lost.get(number, why), None)


def _live(batch: Batch) -> tuple[Mapping[int, tuple[str, str]], bool]:
    if batch.plan.on == "slurm":
        from harness.schedulers.slurm.states import live_parts

        found = live_parts(batch)
        return found.state, found.collecting
    busy = working(batch)
    waiting = {part.number for part in batch.plan.parts} - busy if is_held(batch) else set()
    return dict.fromkeys(waiting, ("run", "PENDING")) | dict.fromkeys(busy, ("run", "RUNNING")), False


def _lost(batch: Batch) -> Mapping[int, str]:
    if batch.plan.on != "slurm":
        return {}
    from harness.schedulers.slurm.states import lost_because

    return lost_because(batch)

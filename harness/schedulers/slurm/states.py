"""Which parts of a batch SLURM still has: the second witness, after the finish markers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from harness.schedulers.batch import Batch
from harness.schedulers.batch_markers import marked
from harness.schedulers.slurm.arrays import Array, read_arrays
from harness.schedulers.slurm.client import Element, endings, waiting_and_running

NEVER = ("DependencyNeverSatisfied", "launch failed requeued held", "JobHoldMaxRequeue")
"""Reasons with which an element waits for ever. The second is what a controller says of the jobs that were started after it
had last saved its state, when it was killed and is back."""
ON = frozenset(("RUNNING", "COMPLETING", "CONFIGURING", "STAGE_OUT", "SIGNALING", "SUSPENDED"))


@dataclass(frozen=True)
class LiveParts:
    """What SLURM has of a batch."""

    elements: list[Element]
    state: dict[int, tuple[str, str]] = field(default_factory=dict)
    """Of each part that is on its way: (`run`, `score` or `shard`; SLURM's state)."""
    hopeless: list[str] = field(default_factory=list)
    """Elements that wait for something that will not come, or for which nothing is left to do."""
    last_jobs: list[str] = field(default_factory=list)
    """Jobs that must end before the batch can be collected."""
    collecting: bool = False
    """Whether a job that collects is still to come or at work."""

    @property
    def numbers(self) -> set[int]:
        return set(self.state)

    @property
    def jobs(self) -> list[str]:
        return sorted({element.job for element in self.elements})


def live_parts(batch: Batch) -> LiveParts:
    """Ask squeue. Whoever decides by the answer reads the markers after it, so that nothing falls between the two."""
    arrays = {array.name: array for array in read_arrays(batch)}
    elements = waiting_and_running(list(arrays)) if arrays else []
    working = [one for one in elements if arrays[one.name].step != "collect"]
    live = LiveParts(elements, collecting=any(one not in working and not _stuck(one) for one in elements))
    done = marked(batch)
    for one in working:
        array = arrays[one.name]
        if array.step != "score":
            over = done["finished"] | done["ran"]
            _sort(live, array, one, needed=any(part not in over for part in array.parts(one.index)))
    going = live.numbers | done["ran"] | done["finished"]
    for one in working:
        array = arrays[one.name]
        if array.step == "score":
            _sort(live, array, one, needed=all(part in going for part in array.parts(one.index)))
    names = {one.name for one in working if _id(one) not in live.hopeless}
    live.last_jobs.extend(sorted({arrays[name].job or "" for name in names} - {""}))
    return live


def _sort(live: LiveParts, array: Array, element: Element, *, needed: bool) -> None:
    """What runs is at work; what waits is on its way, unless it will never start or need not."""
    if element.state == "PENDING" and (_stuck(element) or not needed):
        live.hopeless.append(_id(element))
    else:
        for part in array.parts(element.index):
            live.state.setdefault(part, (array.step, "RUNNING" if element.state in ON else element.state))


def _stuck(element: Element) -> bool:
    return element.state == "PENDING" and element.reason in NEVER


def lost_because(batch: Batch) -> Mapping[int, str]:
    """What accounting says of parts that are neither done nor on their way; nothing where there is no accounting."""
    told: dict[int, str] = {}
    for array in read_arrays(batch):
        if array.job is None or array.step == "collect":
            continue
        for index, state in endings(array.job, len(array.tasks)).items():
            for part in array.parts(index):
                told[part] = f"{array.step} {state}"
    return told


def _id(element: Element) -> str:
    return element.job if element.index is None else f"{element.job}_{element.index}"

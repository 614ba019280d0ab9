"""Which parts of a batch SLURM still has: the second witness, after the finish markers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from harness.schedulers.batch import Batch
from harness.schedulers.batch_markers import marked
from harness.schedulers.slurm.arrays import Array, read_arrays
from harness.schedulers.slurm.client import Element, endings, waiting_and_running

NEVER = "DependencyNeverSatisfied"
ON = frozenset(("RUNNING", "COMPLETING", "CONFIGURING", "STAGE_OUT", "SIGNALING", "SUSPENDED"))


@dataclass(frozen=True)
class LiveParts:
    """What SLURM has of a batch."""

    elements: list[Element]
    state: dict[int, tuple[str, str]] = field(default_factory=dict)
    """Of each part that is on its way: (`run`, `score` or `shard`; SLURM's state)."""
    hopeless: list[str] = field(default_factory=list)
    """Elements that wait for something that will not come."""
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
    live = LiveParts(
        elements,
        collecting=any(arrays[one.name].step == "collect" and one.reason != NEVER for one in elements),
    )
    working = [element for element in elements if arrays[element.name].step != "collect"]
    first = [element for element in working if arrays[element.name].step != "score"]
    for element in first:
        _add(live, arrays[element.name], element)
    going, done = live.numbers, marked(batch)
    for element in (element for element in working if arrays[element.name].step == "score"):
        array = arrays[element.name]
        waits = element.state == "PENDING" and element.reason.startswith("Dependency")
        comes = all(part in going | done["ran"] | done["finished"] for part in array.parts(element.index))
        if element.reason == NEVER or (waits and not comes and element.index is not None):
            if not any(part in going for part in array.parts(element.index)):
                live.hopeless.append(_id(element))
        else:
            _add(live, array, element)
    names = {element.name for element in working if _id(element) not in live.hopeless}
    live.last_jobs.extend(sorted({arrays[name].job or "" for name in names} - {""}))
    return live


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


def _add(live: LiveParts, array: Array, element: Element) -> None:
    for part in array.parts(element.index):
        live.state.setdefault(part, (array.step, "RUNNING" if element.state in ON else element.state))


def _id(element: Element) -> str:
    return element.job if element.index is None else f"{element.job}_{element.index}"

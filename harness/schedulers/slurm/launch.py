"""Handing in what is left of a batch: an array of runs, an array that scores each as it ends, a last job that collects."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Iterator

from harness.errors import HarnessError
from harness.schedulers.batch import Batch
from harness.schedulers.batch_markers import batch_lock, marked
from harness.schedulers.slurm.arrays import Array, JobStep, new_array, packed, read_arrays, write_array
from harness.schedulers.slurm.client import SchedulerError, check_usable, largest_array, sbatch, scancel
from harness.schedulers.slurm.options import SlurmOptions
from harness.schedulers.slurm.script import script_text, write_script
from harness.schedulers.slurm.states import LiveParts, live_parts

HandIn = Callable[[Array, str | None], str]
"""Hands in one array after a dependency, and tells the number of its job."""


def launch(batch: Batch) -> list[Array]:
    """Hand in every part that is neither done nor on its way; the new arrays."""
    with batch_lock(batch) as alone:
        if not alone:
            raise HarnessError(
                "another process hands in parts of this batch right now", where=batch.path, mend="ask again"
            )
        options = options_of(batch)
        live = live_parts(batch)
        scancel(live.hopeless)
        done = marked(batch)
        left = {part.number for part in batch.plan.parts} - done["finished"] - live.numbers
        first = max((array.number for array in read_arrays(batch)), default=0) + 1

        def hand_in(array: Array, dependency: str | None) -> str:
            write_array(batch, array)
            job = sbatch(write_script(batch, array, options), dependency=dependency)
            write_array(batch, array.model_copy(update={"job": job}))
            return job

        _chain(batch, options, left, done["ran"], first, hand_in, live, largest_array())
        return [array for array in read_arrays(batch) if array.number >= first]


def launch_new(batch: Batch) -> list[Array]:
    """Hand in a batch for the first time; one of which the cluster takes nothing leaves nothing behind."""
    try:
        return launch(batch)
    except SchedulerError:
        if not any(array.job for array in read_arrays(batch)):
            shutil.rmtree(batch.path)
        raise


def rehearse(batch: Batch) -> str:
    """The scripts that would be handed in for a batch that is not even written."""
    arrays = _chain(
        batch,
        options_of(batch),
        {part.number for part in batch.plan.parts},
        set(),
        1,
        lambda *_: "JOB",
        None,
        1000,
    )
    texts = [
        f"# ---- {array.name}{_after(array)}\n{script_text(batch, array, options_of(batch))}"
        for array in arrays
    ]
    return "\n".join(texts)


def options_of(batch: Batch) -> SlurmOptions:
    """What the batch asks of the cluster."""
    return SlurmOptions.read(batch.plan.slurm, where=f"plan of {batch.name}")


def cancel(batch: Batch) -> int:
    """Take everything of a batch out of the queue; how many elements it was."""
    check_usable()
    live = live_parts(batch)
    scancel(live.jobs)
    return len(live.elements)


def _chain(
    batch: Batch,
    options: SlurmOptions,
    left: set[int],
    ran: set[int],
    first: int,
    hand_in: HandIn,
    live: LiveParts | None,
    largest: int,
) -> list[Array]:
    made: list[Array] = []

    def add(step: JobStep, tasks: list[list[int]], dependency: str | None = None) -> str:
        array = new_array(batch, first + len(made), step, tasks)
        made.append(array)
        return hand_in(array, dependency)

    last: list[str] = []
    steps = batch.plan.steps
    for group in _alike(batch, left - ran):
        for tasks in packed(group, options.pack, largest):
            job = add(steps[0], tasks)
            last.append(job if len(steps) == 1 else add("score", tasks, f"aftercorr:{job}"))
    last += [add("score", tasks) for tasks in packed(left & ran, options.pack, largest)]
    if last:
        waits = [*last, *(live.last_jobs if live else ())]
        add("collect", [[part.number for part in batch.plan.parts]], f"afterany:{':'.join(waits)}")
    return made


def _alike(batch: Batch, numbers: Iterable[int]) -> Iterator[list[int]]:
    """Parts in groups that ask for the same, since an array asks once for all of its elements."""
    groups: dict[str, list[int]] = {}
    for number in sorted(numbers):
        groups.setdefault(batch.part(number).needs.model_dump_json(), []).append(number)
    yield from groups.values()


def _after(array: Array) -> str:
    told = {"score": ", each element after the run of its number", "collect": ", after all others have ended"}
    return told.get(array.step, "")

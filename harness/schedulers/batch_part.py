"""One step of one part, done once: by an array task, by a worker of the local pool, again after a kill.

Each step looks first at what stands already. A run folder of the part that was written just before a kill is taken over,
so that no run stands twice; a submission that has run is not run again.
"""

from __future__ import annotations

from pathlib import Path

from harness.errors import ChangedError, HarnessError, system_refusal
from harness.records.run_folder import RECORD_FILE, RUN_NAME, RunFolder, open_run
from harness.schedulers.batch import Batch, Part, Step
from harness.schedulers.batch_markers import mark, part_lock, read_marker, set_aside, unmark
from harness.schedulers.batch_request import plan_part
from harness.schedulers.execution import is_kept
from harness.schedulers.submit import STEPS, Listener, Silence, submit

RUN_ENDS_BEFORE = STEPS[2]


def do_step(batch: Batch, number: int, step: Step, listener: Listener | None = None) -> None:
    """Do one step of one part; what the harness refuses is left as the part's fault, and raised."""
    with part_lock(batch, number):
        if read_marker(batch, number, "finished") is not None:
            return
        try:
            if step == "shard":
                _shard(batch, number, listener or Silence())
            elif step == "run":
                _run(batch, batch.part(number), listener or Silence())
            else:
                _score(batch, batch.part(number), listener or Silence())
        except HarnessError as fault:
            mark(batch, number, "fault", reason=str(fault))
            raise
        except OSError as error:
            mark(batch, number, "fault", reason=str(system_refusal(error) or error))
            raise
        except Exception as bug:
            mark(batch, number, "fault", reason=f"{type(bug).__name__}: {bug}")
            raise


def finished_run(batch: Batch, part: Part) -> RunFolder | None:
    """The run folder of a part, if it stands: of its configuration, and not there before the batch was planned."""
    others = {*part.before, *set_aside(batch, part.number)}
    for run in runs_of(batch.runs, part.config_hash or ""):
        if run.path.name not in others and run.record.rescored_from is None:
            return run
    return None


def runs_of(runs: Path, config_hash: str) -> list[RunFolder]:
    """The finished runs of one configuration, oldest first."""
    names = sorted(path.name for path in runs.glob(f"*_{config_hash[:7]}*") if RUN_NAME.match(path.name))
    found = [open_run(runs / name) for name in names if (runs / name / RECORD_FILE).is_file()]
    return [run for run in found if run.record.config_hash == config_hash]


def _run(batch: Batch, part: Part, listener: Listener) -> None:
    if read_marker(batch, part.number, "ran") is not None or _take_over(batch, part):
        return
    try:
        run = submit(plan_part(batch, part), _UpToScoring(listener))
    except _RanError:
        mark(batch, part.number, "ran")
    else:  # it did not end well, and so there is nothing to score
        _finish(batch, part, run)


def _score(batch: Batch, part: Part, listener: Listener) -> None:
    if _take_over(batch, part):
        return
    if not is_kept(batch.runs, part.config_hash or ""):
        unmark(batch, part.number, "ran")
        raise ChangedError(
            "what the submission wrote is gone",
            where=f"{batch.name}, part {part.number}, {part.label}",
            mend=f"harness batch resume {batch.name} runs it again",
        )
    _finish(batch, part, submit(plan_part(batch, part), listener))


def _take_over(batch: Batch, part: Part) -> bool:
    """Whether the run folder stands, written by a process that was killed before it could say so."""
    run = finished_run(batch, part)
    if run is not None:
        _finish(batch, part, run)
    return run is not None


def _finish(batch: Batch, part: Part, run: RunFolder) -> None:
    record = run.record
    mark(
        batch,
        part.number,
        "finished",
        status=record.status,
        reason=record.reason,
        path=str(run.path.absolute()),
    )


def _shard(batch: Batch, number: int, listener: Listener) -> None:
    from harness.scoring.worker import engine_of_job  # the scorer is heavy, and a run step does not need it

    folder = batch.shard(number)
    if not folder.is_dir():
        listener.step("score")
        definition = batch.plan.purpose.definition
        engine = engine_of_job(definition["job"], where=batch.path, trusted=False)
        engine.score_shard(
            number, len(batch.plan.parts), folder, lambda done, of: listener.within("conditions", done, of)
        )
    mark(batch, number, "finished", path=str(folder))


class _RanError(Exception):
    """The submission has run; its output is kept for whoever scores it."""


class _UpToScoring:
    """Stops a run where scoring would begin; by the promise of `executed` what has been done until then stays."""

    def __init__(self, heard: Listener) -> None:
        self._heard = heard

    def step(self, name: str) -> None:
        """Pass on a step, or stop."""
        if name == RUN_ENDS_BEFORE:
            raise _RanError
        self._heard.step(name)

    def within(self, message: str, done: float, of: float | None) -> None:
        """Pass on progress."""
        self._heard.within(message, done, of)

"""Shards in processes of their own, each with one BLAS thread."""

from __future__ import annotations

import json
import os
import selectors
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any

from harness.errors import ChangedError, ExitCode, HarnessError
from harness.scoring.engine import Engine, Progress
from harness.scoring.threads import worker_environment
from harness.storage import canonical_json, write_json

WORTH_A_PROCESS = 100_000_000
"""Numbers to be read for which starting one more process pays."""
MOST = 8
CPUS = "HARNESS_CPUS"
"""Environment variable: how many cores this process may use, where the system itself would let it use more."""
DONE, REFUSED = "done", "refused"


def fitting_workers(size: int) -> int:
    """How many processes a score of this size is worth on this machine."""
    return max(1, min(usable_cores(), MOST, size // WORTH_A_PROCESS))


def usable_cores() -> int:
    """How many cores are for this process: what a scheduler gave it, else what the system lets it use."""
    told = os.environ.get(CPUS, "")
    if told.isdigit() and int(told):
        return int(told)
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def score_in_processes(
    engine: Engine, scratch: Path, workers: int, progress: Progress | None = None
) -> list[Path]:
    """The first stage in several processes; the folders of their shards."""
    job = scratch / "job.json"
    write_json(job, job_document(engine))
    folders = [scratch / f"shard-{k}-of-{workers}" for k in range(1, workers + 1)]
    words = [
        ["harness.scoring.worker", str(job), str(number), str(workers), str(folder)]
        for number, folder in enumerate(folders, 1)
    ]
    work(words, scratch / "workers.log", len(engine.chosen), progress)
    return folders


def work(modules: Sequence[Sequence[str]], log_file: Path, of: int, progress: Progress | None = None) -> None:
    """Run Python modules with their arguments side by side to their ends; the first refusal ends them all.

    Each says `DONE` whenever one of the `of` things is done.
    """
    running: list[subprocess.Popen[bytes]] = []
    with log_file.open("w+b") as log:
        try:
            for words in modules:
                running.append(_start(words, log))
            _listen(running, of, progress)
        finally:
            for process in running:
                process.kill()
                process.wait()
        _check(running, log)


def job_document(engine: Engine) -> dict[str, Any]:
    """What a worker must be told to build the same engine."""
    inputs = engine.inputs
    return {
        "dataset": str(inputs.dataset.path.absolute()),
        "split": inputs.split.document(),
        "task": str(inputs.task.sealed.parent.absolute()),
        "predictions": str(inputs.file.path.absolute()),
        "var_kind": inputs.var_kind,
        "rows": inputs.rows,
        "keep": inputs.keep,
        "identity": engine.identity,
    }


def _start(words: Sequence[str], log: IO[bytes]) -> subprocess.Popen[bytes]:
    argv = [sys.executable, "-P", "-m", *words]  # never a module of the folder that a user happens to be in
    return subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=log, env=worker_environment())


def _listen(running: Sequence[subprocess.Popen[bytes]], of: int, progress: Progress | None) -> None:
    """Pass on progress until every worker has ended; what one refuses is refused here."""
    done = 0
    with selectors.DefaultSelector() as selector:
        for process in running:
            selector.register(process.stdout, selectors.EVENT_READ)  # type: ignore[arg-type]
        while selector.get_map():
            for key, _ in selector.select():
                line = key.fileobj.readline()  # type: ignore[union-attr]
                if not line:
                    selector.unregister(key.fileobj)
                    continue
                message = json.loads(line)
                if REFUSED in message:
                    raise _refusal(message[REFUSED])
                done += 1
                if progress is not None:
                    progress(done, of)
    for process in running:
        process.wait()


def _refusal(told: dict[str, Any]) -> HarnessError:
    kind = ChangedError if told.pop("code") == ExitCode.CHANGED else HarnessError
    return kind(told.pop("what"), **told)


def _check(running: Sequence[subprocess.Popen[bytes]], log: IO[bytes]) -> None:
    failed = [process.returncode for process in running if process.returncode]
    if failed:
        log.seek(0)
        said = log.read().decode(errors="replace")[-4000:]
        raise RuntimeError(f"{len(failed)} of {len(running)} scoring processes ended with {failed}:\n{said}")


def say(message: dict[str, Any]) -> None:
    """One line for the process that started this one."""
    print(canonical_json(message), flush=True)

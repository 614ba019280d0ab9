"""One working process: an array task of a cluster, or a worker of the local pool. What it needs it reads from the batch.

`python -m harness.schedulers.batch_worker STEP BATCH ARRAY INDEX`   the parts of one element of an array
`python -m harness.schedulers.batch_worker collect BATCH`            the last job
`python -m harness.schedulers.batch_worker serve BATCH`              parts by number from standard input, whole
"""

from __future__ import annotations

import os
import queue
import signal
import sys
import threading
import time
import traceback
from pathlib import Path
from typing import NoReturn

from harness.errors import ExitCode, HarnessError
from harness.storage import canonical_json

BETWEEN_NEWS_S = 0.2


def main(words: list[str]) -> int:
    """Do what the words say; the exit code is 0 where every part was done, whatever the runs ended with."""
    signal.signal(signal.SIGTERM, _leave)
    match words:
        case ["run" | "score" | "shard" as step, batch, array, index]:
            return _element(Path(batch), step, int(array), int(index))
        case ["collect", batch]:
            return _collect(Path(batch))
        case ["serve", batch]:
            return _serve(Path(batch))
    print(__doc__, file=sys.stderr)
    return ExitCode.USAGE


def _element(path: Path, step: str, array: int, index: int) -> int:
    from harness.schedulers.batch import Batch
    from harness.schedulers.batch_markers import marked
    from harness.schedulers.slurm.arrays import read_array

    batch = Batch(path)
    done = marked(batch)
    code = 0
    for number in read_array(batch, array).parts(index):
        if number in done["finished"] or (step == "run" and number in done["ran"]):
            print(f"part {number}: done before", flush=True)
            continue
        from harness.schedulers.batch_part import do_step  # heavy, and not needed where all is done

        try:
            do_step(batch, number, step)  # type: ignore[arg-type]
        except Exception as error:
            code = _tell(number, error)
        else:
            print(f"part {number}: {step} done", flush=True)
    return code


def _tell(number: int, error: Exception) -> int:
    """Say what went wrong with a part, and go on with the next."""
    print(f"part {number}: {error}", file=sys.stderr, flush=True)
    if isinstance(error, HarnessError):
        return int(error.code)
    traceback.print_exception(error)
    return 1


def _collect(path: Path) -> int:
    from harness.schedulers.batch import Batch
    from harness.schedulers.batch_collect import collect

    found = collect(Batch(path))
    print(canonical_json(found.counts), flush=True)
    return 0


def _serve(path: Path) -> int:
    """Parts as they are asked for; the end of standard input, which is also the end of the pool, ends this process."""
    from harness.schedulers.batch import Batch
    from harness.schedulers.batch_part import do_step

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the pool decides what Ctrl-C means
    asked: queue.SimpleQueue[int] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(asked,), daemon=True).start()
    batch = Batch(path)
    while True:
        number = asked.get()
        failed: str | None = None
        try:
            for step in batch.plan.steps:
                do_step(batch, number, step, _News(number))
        except Exception as error:
            failed = str(error)
            if not isinstance(error, HarnessError):
                traceback.print_exception(error)
        _say({"part": number, "end": True, "failed": failed})


def _listen(asked: queue.SimpleQueue[int]) -> None:
    for line in sys.stdin:
        asked.put(int(line))
    os.kill(os.getpid(), signal.SIGTERM)


class _News:
    """A listener that tells the pool how far a part is."""

    def __init__(self, number: int) -> None:
        self._number = number
        self._told = 0.0

    def step(self, name: str) -> None:
        """A step begins."""
        _say({"part": self._number, "step": name})

    def within(self, message: str, done: float, of: float | None) -> None:
        """Progress within the step, not more often than an eye can follow."""
        if time.monotonic() - self._told > BETWEEN_NEWS_S:
            self._told = time.monotonic()
            _say({"part": self._number, "within": [message, done, of]})


def _say(message: dict[str, object]) -> None:
    print(canonical_json(message), flush=True)


def _leave(number: int, _frame: object) -> NoReturn:
    """Asked to stop: leave through all `finally`, so that nothing half-made and no process stays."""
    signal.signal(number, signal.SIG_IGN)
    sys.exit(128 + number)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

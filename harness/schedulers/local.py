"""Many runs on this machine: a pool of processes, each with its share of the cores; after a kill `resume` goes on."""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import IO, Any, Protocol

from harness.errors import HarnessError
from harness.runtimes.containers.leftovers import is_dead, owner
from harness.schedulers.batch import LOGS, Batch
from harness.schedulers.batch_markers import batch_lock, is_held, mark, marked
from harness.scoring.threads import CAPS
from harness.scoring.workers import CPUS, usable_cores
from harness.storage import read_json, write_json

POOL_FILE = "pool.json"
PATIENCE_S = 30.0
"""How long a worker that was told to stop may take to leave nothing behind."""


class PoolListener(Protocol):
    """Who is told how far the pool is."""

    def started(self, number: int, label: str) -> None:
        """A part begins."""
        ...

    def step(self, number: int, name: str) -> None:
        """A step of a part begins."""
        ...

    def within(self, number: int, message: str, done: float, of: float | None) -> None:
        """Progress within the step."""
        ...

    def ended(self, number: int) -> None:
        """A part has ended, well or not."""
        ...


class Quiet:
    """A listener that says nothing."""

    def started(self, number: int, label: str) -> None:
        """A part begins."""

    def step(self, number: int, name: str) -> None:
        """A step of a part begins."""

    def within(self, number: int, message: str, done: float, of: float | None) -> None:
        """Progress within the step."""

    def ended(self, number: int) -> None:
        """A part has ended, well or not."""


@dataclass
class _Worker:
    """One process of the pool."""

    process: subprocess.Popen[bytes]
    part: int | None = None
    rest: bytes = b""

    @property
    def news(self) -> IO[bytes]:
        assert self.process.stdout is not None
        return self.process.stdout

    def ask(self, number: int) -> None:
        """Give it a part."""
        self.part = number
        assert self.process.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # that it is gone is seen where its news end
            self.process.stdin.write(f"{number}\n".encode())
            self.process.stdin.flush()

    def lines(self) -> list[dict[str, Any]] | None:
        """What it said since the last time; None where it is gone."""
        block = os.read(self.news.fileno(), 1 << 16)
        if not block:
            return None
        *whole, self.rest = (self.rest + block).split(b"\n")
        return [json.loads(line) for line in whole]


@dataclass
class _Pool:
    batch: Batch
    heard: PoolListener
    left: list[int]
    log: IO[bytes]
    environment: dict[str, str]
    workers: list[_Worker] = field(default_factory=list)

    def run(self, jobs: int) -> None:
        with selectors.DefaultSelector() as selector:
            for _ in range(min(jobs, len(self.left))):
                self._start(selector)
            while selector.get_map():
                for key, _ in selector.select():
                    self._hear(key.data, selector)

    def stop(self) -> None:
        """End every worker; each leaves nothing half-made and no process of its own."""
        for worker in self.workers:
            if worker.process.stdin is not None:
                with contextlib.suppress(OSError):
                    worker.process.stdin.close()
            worker.process.terminate()
        for worker in self.workers:
            try:
                worker.process.wait(PATIENCE_S)
            except subprocess.TimeoutExpired:
                worker.process.kill()
                worker.process.wait()
            worker.news.close()

    def _start(self, selector: selectors.BaseSelector) -> None:
        words = [sys.executable, "-P", "-m", "harness.schedulers.batch_worker", "serve", str(self.batch.path)]
        process = subprocess.Popen(
            words,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.log,
            env=self.environment,
            start_new_session=True,  # Ctrl-C reaches this process alone, which then ends them in order
        )
        worker = _Worker(process)
        self.workers.append(worker)
        selector.register(worker.news, selectors.EVENT_READ, worker)
        self._next(worker, selector)

    def _next(self, worker: _Worker, selector: selectors.BaseSelector) -> None:
        if not self.left:
            selector.unregister(worker.news)
            worker.part = None
            return
        number = self.left.pop(0)
        self.heard.started(number, self.batch.part(number).label)
        worker.ask(number)

    def _hear(self, worker: _Worker, selector: selectors.BaseSelector) -> None:
        lines = worker.lines()
        if lines is None:
            self._lost(worker, selector)
            return
        for line in lines:
            number = line["part"]
            if "step" in line:
                self.heard.step(number, line["step"])
            elif "within" in line:
                self.heard.within(number, *line["within"])
            else:
                self.heard.ended(number)
                self._next(worker, selector)

    def _lost(self, worker: _Worker, selector: selectors.BaseSelector) -> None:
        """A worker was killed, or ran into the limits of the machine: its part is at fault, the others go on."""
        selector.unregister(worker.news)
        code = worker.process.wait()
        if worker.part is not None:
            how = signal.Signals(-code).name if code < 0 else f"exit code {code}"
            mark(self.batch, worker.part, "fault", reason=f"the process that worked on it ended with {how}")
            self.heard.ended(worker.part)
        if self.left:
            self._start(selector)


def run_pool(batch: Batch, listener: PoolListener | None = None) -> None:
    """Bring every part that is left to its end."""
    heard = listener or Quiet()
    done = marked(batch)["finished"]
    left = [part.number for part in batch.plan.parts if part.number not in done]
    jobs = max(1, min(batch.plan.jobs, len(left)))
    with _alone(batch), (batch.path / LOGS / "pool.out").open("ab") as log:
        pool = _Pool(batch, heard, left, log, pool_environment(jobs))
        try:
            pool.run(jobs)
        finally:
            pool.stop()


def stop_pool(batch: Batch) -> int:
    """End the pool that works on a batch from another process of this machine; how many pools that was."""
    if not is_held(batch):
        return 0
    told = read_json(batch.path / POOL_FILE, "pool")
    if told["host"] != socket.gethostname():
        raise HarnessError("the pool is on another machine", where=batch.path, got=told["host"])
    if is_dead(str(told["owner"])):  # the lock is held by one that has not said its name yet
        raise HarnessError("the pool begins or ends just now", where=batch.path, mend="ask again")
    os.kill(int(told["pid"]), signal.SIGINT)
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        if not is_held(batch):
            return 1
        time.sleep(0.1)
    raise HarnessError("the pool does not end", where=f"process {told['pid']}")


def pool_environment(jobs: int) -> dict[str, str]:
    """The environment of a worker: its share of the cores, so that workers do not fight over them."""
    share = str(max(1, usable_cores() // jobs))
    return {**os.environ, **dict.fromkeys(CAPS, share), CPUS: share}


@contextlib.contextmanager
def _alone(batch: Batch) -> Iterator[None]:
    with batch_lock(batch) as alone:
        if not alone:
            raise HarnessError(
                "a pool works on this batch already",
                where=batch.path,
                mend=f"harness batch status {batch.name} says how far it is",
            )
        write_json(
            batch.path / POOL_FILE, {"host": socket.gethostname(), "pid": os.getpid(), "owner": owner()}
        )
        yield

"""One container from its making to its removal: create, attach, start, watch, kill, remove.

Never the engine's own `run`, which would fetch a missing image from the network.
"""

from __future__ import annotations

import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from typing import Any

from harness.contract.status import RunStatus
from harness.runtimes.containers import guard
from harness.runtimes.containers.engine import Engine, docker_refusals, engine_trouble, explain
from harness.runtimes.containers.leftovers import OWNER, owner
from harness.runtimes.containers.log_stream import LogStream
from harness.runtimes.containers.options import Spec, container_config, host_config
from harness.runtimes.containers.watch import ContainerWatch
from harness.runtimes.progress import PROGRESS_FILE, ProgressTail
from harness.runtimes.protocol import Job, OnProgress
from harness.runtimes.watch import Breach

FIRST_PAUSE, LONGEST_PAUSE = 0.02, 0.25
SIGNALLED = 128
LAST_SIGNAL = 64
OVER = ("exited", "dead", "stopped", "removing")


@dataclass(frozen=True)
class Ended:
    """What is known of a container that ran."""

    told: dict[str, Any]
    """In the words of `read_ending`: `code`, negative for a signal, or `cannot_start`."""
    breach: Breach | None
    log: bytes
    seconds: float


def run_container(
    engine: Engine, spec: Spec, job: Job, watch: ContainerWatch, on_progress: OnProgress | None
) -> Ended:
    """Run a job's container to its end; nothing of it is left, not even where the harness itself is killed."""
    with engine.client() as client, _created(engine, client, spec) as container:
        stream = client.attach(container, stdout=True, stderr=True, stream=True)
        words = LogStream(stream, job.limits.log_bytes)
        started = time.monotonic()
        try:
            ended = _live(client, container, job, watch, words, on_progress)
        finally:
            with suppress(*engine_trouble()):
                client.kill(container, "SIGKILL")  # what already ended says no
            words.wait(5)
            words.log.close(job.log)
        return replace(ended, log=words.log.content(), seconds=time.monotonic() - started)


def _live(
    client: Any,
    container: str,
    job: Job,
    watch: ContainerWatch,
    words: LogStream,
    on_progress: OnProgress | None,
) -> Ended:
    breach: Breach | None = None
    try:
        try:
            client.start(container)
        except engine_trouble() as error:
            return Ended({"cannot_start": explain(error)}, None, b"", 0)
        watch.restart_clock()
        breach = _follow(client, container, job, watch, words, on_progress)
        if breach is not None and breach.polite:
            _ask_to_stop(client, container, job.limits.grace_seconds, words)
    except KeyboardInterrupt:
        breach = Breach(RunStatus.INTERRUPTED, "stopped by the user", polite=True)
        _ask_to_stop(client, container, job.limits.grace_seconds, words)
    if breach is not None:
        with suppress(*engine_trouble()):
            client.kill(container, "SIGKILL")
    state = _await_end(client, container, words)
    watch.engine_says_oom = bool(state.get("OOMKilled"))
    breach = breach or watch.look_at_memory() or watch.look_at_output()
    return Ended({"code": _code(int(state.get("ExitCode", -1)))}, breach, b"", 0)


def _follow(
    client: Any,
    container: str,
    job: Job,
    watch: ContainerWatch,
    words: LogStream,
    on_progress: OnProgress | None,
) -> Breach | None:
    """Until it ends (None) or passes a limit."""
    tail = ProgressTail(job.output / PROGRESS_FILE)
    pause = FIRST_PAUSE
    try:
        while True:
            state = _state(client, container)
            if state["Status"] in OVER:
                return None
            watch.memory.follow(container, int(state.get("Pid") or 0))
            breach = watch.look()
            if breach is not None:
                return breach
            _pass_on(tail, on_progress)
            if words.wait(pause):
                time.sleep(FIRST_PAUSE)
            pause = min(LONGEST_PAUSE, pause * 1.5)
    finally:
        _pass_on(tail, on_progress)


def _ask_to_stop(client: Any, container: str, grace: float, words: LogStream) -> None:
    until = time.monotonic() + grace
    with suppress(*engine_trouble()):
        client.kill(container, "SIGTERM")
        while time.monotonic() < until and _state(client, container)["Status"] not in OVER:
            if words.wait(FIRST_PAUSE * 2):
                time.sleep(FIRST_PAUSE)


def _await_end(client: Any, container: str, words: LogStream) -> dict[str, Any]:
    until = time.monotonic() + 30
    while True:
        state = _state(client, container)
        if state["Status"] in OVER or time.monotonic() > until:
            return state
        if words.wait(FIRST_PAUSE):
            time.sleep(FIRST_PAUSE)


def _state(client: Any, container: str) -> dict[str, Any]:
    state: dict[str, Any] = client.inspect_container(container)["State"]
    return state


def _pass_on(tail: ProgressTail, on_progress: OnProgress | None) -> None:
    progress = tail.latest()
    if progress is not None and on_progress is not None:
        on_progress(progress)


def _code(status: int) -> int:
    """An init says of a child that a signal ended what a shell says: 128 and the signal's number."""
    number = status - SIGNALLED
    return -number if 0 < number <= LAST_SIGNAL else status


@contextmanager
def _created(engine: Engine, client: Any, spec: Spec) -> Iterator[str]:
    """A container that is removed at the end, by its guard where this process does not live to do it."""
    name = f"harness-{uuid.uuid4().hex[:12]}"
    keeper = _guard(engine, name)
    gone = False
    try:
        spec = replace(spec, labels={**spec.labels, OWNER: owner()})
        config = container_config(spec)
        try:
            made = client.create_container(
                spec.image, name=name, host_config=client.create_host_config(**host_config(spec)), **config
            )
        except docker_refusals():
            gone = True  # it never was
            raise
        try:
            yield str(made["Id"])
        finally:
            client.remove_container(name, force=True, v=True)
            gone = True
    finally:
        _dismiss(keeper, gone)


def _guard(engine: Engine, name: str) -> subprocess.Popen[bytes] | None:
    if engine.socket is None:
        return None
    return subprocess.Popen(
        [sys.executable, "-I", "-S", guard.__file__, engine.socket, name],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def _dismiss(keeper: subprocess.Popen[bytes] | None, gone: bool) -> None:
    """Tell the guard that the container is gone; where that is not sure, it learns it by the end of its lifeline."""
    if keeper is None or keeper.stdin is None:
        return
    with suppress(OSError):
        if gone:
            keeper.stdin.write(b"d")
        keeper.stdin.close()
    keeper.wait()

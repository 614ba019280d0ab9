"""Containers that outlived their harness: every one carries the name of the process that made it."""

from __future__ import annotations

import os
import socket
from contextlib import suppress
from dataclasses import dataclass

import psutil

from harness.runtimes.containers.engine import Engine, engine_trouble

OWNER = "org.perturbfm.harness.owner"
"""`host~pid~start`: a process id alone comes back to other programs."""


@dataclass(frozen=True)
class Leftover:
    """A container whose harness is gone."""

    engine: str
    id: str
    name: str
    state: str


def owner() -> str:
    """The label of what the running process makes."""
    return f"{socket.gethostname()}~{os.getpid()}~{_start_of(os.getpid())}"


def find_leftovers(engine: Engine) -> list[Leftover]:
    """The containers of dead harness processes of this machine; those of living ones and of other machines stay."""
    with engine.client() as client:
        found = client.containers(all=True, filters={"label": OWNER})
    return [
        Leftover(engine.runtime, one["Id"], one["Names"][0].lstrip("/"), one["State"])
        for one in found
        if is_dead((one.get("Labels") or {}).get(OWNER, ""))
    ]


def remove_leftovers(engine: Engine) -> list[Leftover]:
    """Kill and remove them."""
    gone = find_leftovers(engine)
    with engine.client() as client:
        for one in gone:
            with suppress(*engine_trouble()):  # another process may be quicker
                client.remove_container(one.id, force=True, v=True)
    return gone


def is_dead(label: str) -> bool:
    """Whether the process of a label ran on this machine and runs no more."""
    host, _, rest = label.rpartition("~")[0].partition("~")
    start = label.rpartition("~")[2]
    if host != socket.gethostname() or not rest.isdigit():
        return False
    return _start_of(int(rest)) != start


def _start_of(pid: int) -> str:
    try:
        return f"{psutil.Process(pid).create_time():.1f}"
    except psutil.Error:
        return "gone"

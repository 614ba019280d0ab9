"""A program and a job as a command line under one layer, and what the run will be held to."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from harness.runtimes.compiled import compiled
from harness.runtimes.environment import SYSTEM_PATH, Places, clean_environment, outside_places
from harness.runtimes.protocol import Guarantee, Job, Limits
from harness.runtimes.sandbox.cgroup import Cgroup, make_cgroup
from harness.runtimes.sandbox.landlock import rules_inside, rules_outside
from harness.runtimes.sandbox.layers import Layer, first_program
from harness.runtimes.sandbox.readable import readable_job
from harness.runtimes.sandbox.view import (
    FIRST_PROGRAM,
    HOME,
    OUTPUT,
    SUBMISSION,
    TASK,
    TEMPORARY,
    Program,
    library_folders,
    view_of,
)
from harness.runtimes.supervision import Start
from harness.runtimes.supervisor import REPORT

WATCHED = "watched by the harness"


def enclose(program: Program, job: Job, layer: Layer, scratch: Path) -> Start:
    """Everything that starts a run; `scratch` is a folder of its own that is removed afterwards."""
    if layer.bubblewrap is not None and layer.bubblewrap.uid is not None:
        # its new user has no right but those that everybody has
        job = readable_job(job, scratch)
    cgroup = make_cgroup(job.limits)
    try:
        return _start(program, job, layer, cgroup, scratch)
    except BaseException:
        cgroup.remove()
        raise


def _start(program: Program, job: Job, layer: Layer, cgroup: Cgroup, scratch: Path) -> Start:
    processes = _process_limit(layer, cgroup, job.limits)
    granted, missing = held_to(layer, cgroup, processes)
    inside = layer.bubblewrap is not None
    places = _places_inside(program) if inside else _places_outside(program, job, scratch)
    environment = clean_environment(job, places)
    if program.python_path:
        environment["PYTHONPATH"] = program.python_path
    command = [*program.words, "--task", places.task, "--output", places.output]
    if layer.bubblewrap is not None:
        view = view_of(job, replace(program, exposed=(*program.exposed, *library_folders())))
        start = first_program(
            FIRST_PROGRAM,
            SUBMISSION,
            report=REPORT,
            uid=layer.bubblewrap.uid,
            processes=processes,
            rules=rules_inside() if layer.landlock else None,
        )
        command = layer.bubblewrap.argv(
            view, job.output.absolute(), scratch, job.limits.tmp_bytes, [*start, *command]
        )
    elif layer.landlock or layer.unshare:
        view = view_of(job, replace(program, exposed=(*program.exposed, *library_folders())))
        rules = rules_outside(view, job.output.absolute(), scratch) if layer.landlock else None
        first = str(compiled(Path(__file__).with_name("first.py")))
        start = first_program(first, str(job.folder), report=REPORT, rules=rules)
        command = [*layer.unshare, *start, *command]
    return Start(
        argv=tuple(command),
        environment=environment,
        folder=job.folder,
        isolation=layer.isolation,
        wrapped=REPORT in command,
        cgroup=cgroup,
        granted=granted,
        missing=missing,
    )


def held_to(
    layer: Layer, cgroup: Cgroup, processes: int | None
) -> tuple[Mapping[Guarantee, str], Mapping[Guarantee, str]]:
    """(granted, missing) of a run under a layer with its control groups: every guarantee is in one of them."""
    granted = {Guarantee.WALL: WATCHED, Guarantee.OUTPUT: WATCHED, Guarantee.MEMORY: WATCHED}
    granted |= {**layer.granted, **cgroup.granted}
    if processes is not None and Guarantee.PIDS not in granted:
        granted[Guarantee.PIDS] = "a resource limit of its user"
    missing = {**cgroup.missing, **layer.missing}
    return granted, {
        one: missing.get(one, "nothing here gives it") for one in Guarantee if one not in granted
    }


def _process_limit(layer: Layer, cgroup: Cgroup, limits: Limits) -> int | None:
    """A resource limit on processes where no control group counts them and its user has no others."""
    if layer.bubblewrap is None or Guarantee.PIDS in cgroup.granted:
        return None
    return limits.pids


def _places_inside(program: Program) -> Places:
    path = ":".join([*program.search_path, *SYSTEM_PATH.split(":")])
    return Places(TASK, OUTPUT, HOME, TEMPORARY, search_path=path)


def _places_outside(program: Program, job: Job, scratch: Path) -> Places:
    places = outside_places(job, scratch)
    return replace(places, search_path=":".join([*program.search_path, os.environ.get("PATH", SYSTEM_PATH)]))

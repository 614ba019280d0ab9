"""The runtime of Apptainer: no daemon, an image file, the same guarantees."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cache, lru_cache
from pathlib import Path

from harness.contract.status import RunStatus
from harness.errors import HarnessError
from harness.runtimes.containers import layout
from harness.runtimes.containers.apptainer_options import (
    ENTRY,
    PRIVATE_FOLDERS,
    can_mount,
    client_environment,
    hardened,
    limit_flags,
    with_private_tmp,
)
from harness.runtimes.containers.container import LAST_SIGNAL, SIGNALLED
from harness.runtimes.containers.images import base_image, image_name, missing_image
from harness.runtimes.containers.layout import Bind
from harness.runtimes.containers.seccomp import profile
from harness.runtimes.containers.sif import Sif, apptainer_program, find_sif, sif_from_engines
from harness.runtimes.protocol import (
    Guarantee,
    IsolationLevel,
    Job,
    Limits,
    Offer,
    OnProgress,
    Outcome,
    Progress,
)
from harness.runtimes.sandbox.cgroup import Cgroup, make_cgroup
from harness.runtimes.supervision import Start, supervise
from harness.storage import scratch_folder

OWN_FAULT = 255
"""Apptainer's exit code for everything that is its own fault; a submission may use it too, without these words."""
FILTER = "seccomp.json"
"""By its bare name, in the folder that the program is started in: a comma or colon in a path would end it."""
OWN_WORDS = "FATAL:"
PROBE_SECONDS = 60
LIMITED = (Guarantee.MEMORY, Guarantee.CPU, Guarantee.PIDS)
NETWORK = "while read -r name rest; do case $name in *:*) echo ${name%%:*};; esac; done < /proc/net/dev"
DEVICES = "ls /dev"


@dataclass(frozen=True)
class ApptainerRuntime:
    """Runs a submission in an image file, as a child of the harness."""

    name: str = "apptainer"
    isolation: IsolationLevel = field(default="container")

    def offer(self) -> Offer:
        """What it gives, after a line was really run in the base image."""
        try:
            program = apptainer_program()
            version = _version(program)
            sif = find_sif(base_image())
        except HarnessError as error:
            reason = f"{error.what}: {error.got}" if error.got else error.what
            return Offer(False, "container", reason=reason, mend=error.mend or "")
        granted, missing = guarantees(program, version, sif)
        if sif is None:
            return Offer(
                True,
                "container",
                version,
                granted,
                missing,
                f"no image file of {base_image()} yet: it is made at the first run from an engine's image of that name",
                "harness image build containers/base.def",
            )
        trouble = _try(program, sif)
        if trouble is not None:
            return Offer(False, "container", version, reason=trouble, mend=f"{program} exec {sif.path} true")
        return Offer(True, "container", version, granted, missing)

    def argv(self, job: Job) -> list[str]:
        """The command inside the container."""
        return layout.argv(job)

    def run(self, job: Job, on_progress: OnProgress | None = None) -> Outcome:
        """Run the job to its end."""
        started = time.monotonic()
        try:
            return self._run(job, on_progress)
        except HarnessError as error:
            refused = f"{error.what}: {error.got}" if error.got else error.what
            if not job.log.exists():
                job.log.write_bytes(b"")
            detail = f"{refused} (mend: {error.mend})"
            seconds = time.monotonic() - started
            return Outcome(RunStatus.ENVIRONMENT, None, None, seconds, 0, "container", detail)

    def _run(self, job: Job, on_progress: OnProgress | None) -> Outcome:
        program = apptainer_program()
        sif = _job_image(job, on_progress)
        if job.manifest.resources.gpus:
            _gpus_inside(program, sif, job.manifest.resources.gpus)
        with scratch_folder(job.output) as scratch, layout.handed_over(job.output):
            shown = layout.readable_inside(job, scratch)
            cgroup = make_cgroup(job.limits)
            try:
                argv = command(program, sif, shown, scratch, cgroup)
                granted, missing = guarantees(program, _version(program), sif, cgroup)
            except BaseException:
                cgroup.remove()
                raise
            start = Start(
                argv=tuple(argv),
                environment=client_environment(layout.environment(job)),
                folder=scratch,
                isolation="container",
                # what it says of a signal is what a shell says, and it is not asked to stop itself
                wrapped=True,
                cgroup=cgroup,
                granted=granted,
                missing=missing,
            )
            return _own_fault(supervise(start, job, on_progress), job)


def command(program: str, sif: Sif, job: Job, scratch: Path, cgroup: Cgroup) -> list[str]:
    """The whole command line of a run."""
    own = layout.brings_its_image(job)
    binds = layout.binds(job, scratch)
    private = scratch / "tmp"
    private.mkdir()
    if can_mount():
        binds += [Bind(private, place, writable=True) for place in PRIVATE_FOLDERS]
    options = hardened(binds, sif.workdir if own else layout.SUBMISSION, gpus=job.manifest.resources.gpus)
    if os.geteuid() == 0:
        (scratch / FILTER).write_text(profile(hide_clone3=False))
        options += ["--security", f"seccomp:{FILTER}"]
    if Guarantee.MEMORY not in cgroup.granted and takes_limits(program, sif):
        options += limit_flags(job.limits)
    if own and sif.argv is None:
        argv = [program, "--quiet", "run", *options, str(sif.path), *layout.argv(job)]
    else:
        words = [*(sif.argv or () if own else ()), *layout.argv(job)]
        argv = [program, "--quiet", "exec", *options, str(sif.path), "/bin/sh", "-c", ENTRY, "sh", *words]
    return with_private_tmp(argv, private, job.limits.tmp_bytes) if can_mount() else argv


def guarantees(
    program: str, version: str, sif: Sif | None, cgroup: Cgroup | None = None
) -> tuple[dict[Guarantee, str], dict[Guarantee, str]]:
    """What a run is held to and by what; and what it is not held to, with the reason."""
    by = f"apptainer {version}"
    made = cgroup or make_cgroup(Limits())
    if cgroup is None:
        made.remove()
    granted = {
        Guarantee.OFFLINE: f"network none, {by}",
        Guarantee.READ_ONLY_INPUT: f"read-only mounts, {by}",
        Guarantee.HIDDEN_HOST: f"containall, {by}",
        Guarantee.WALL: "watched by the harness",
        Guarantee.OUTPUT: "watched by the harness",
    } | dict(made.granted)
    missing = dict(made.missing)
    if layout.drops_user():
        granted[Guarantee.UID_DROP] = f"user {layout.user_inside()[0]}"
    else:
        missing[Guarantee.UID_DROP] = "it stays the user who started it, without capabilities"
        if hypervisor_answers():  # only root can give Apptainer a filter of system calls
            del granted[Guarantee.OFFLINE]
            missing[Guarantee.OFFLINE] = "sockets to the host of this virtual machine (AF_VSOCK) are open"
    if Guarantee.MEMORY in missing and sif is not None and takes_limits(program, sif):
        granted |= dict.fromkeys(LIMITED, f"cgroup, {by}")
        missing = {one: why for one, why in missing.items() if one not in LIMITED}
    return granted, missing


def _job_image(job: Job, on_progress: OnProgress | None) -> Sif:
    name = image_name(job.manifest, job.folder)
    found = find_sif(name)
    if found is None:
        if on_progress is not None:
            on_progress(Progress(0, None, f"making an image file of {name}"))
        found = sif_from_engines(name)
    if found is None:
        raise missing_image(name, job.manifest, job.folder, "apptainer")
    return found


def _own_fault(outcome: Outcome, job: Job) -> Outcome:
    """Tell Apptainer's own failure from the submission's, and a large exit code from a signal."""
    number = outcome.signal or 0
    if number > LAST_SIGNAL:
        code = number + SIGNALLED
        detail = outcome.detail.replace(f"killed by signal {number}", f"exit code {code}")
        outcome = replace(outcome, exit_code=code, signal=None, detail=detail)
    if outcome.status is not RunStatus.FAILED or outcome.exit_code != OWN_FAULT:
        return outcome
    lines = job.log.read_text(encoding="utf-8", errors="replace").splitlines()
    words = next((line for line in reversed(lines) if line.startswith(OWN_WORDS)), None)
    if words is None:
        return outcome
    said = words.removeprefix(OWN_WORDS).strip()[:300]
    return replace(
        outcome, status=RunStatus.ENVIRONMENT, exit_code=None, detail=f"the command cannot be started: {said}"
    )


@cache
def hypervisor_answers() -> bool:
    """Whether this is a virtual machine whose host can be reached through sockets that no namespace holds."""
    if not hasattr(socket, "AF_VSOCK"):
        return False
    try:
        with socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM) as caller:
            caller.settimeout(1)
            caller.connect((socket.VMADDR_CID_HOST, 1))
    except (ConnectionResetError, TimeoutError):
        return True
    except OSError:
        return False
    return True


@lru_cache(maxsize=16)
def takes_limits(program: str, sif: Sif) -> bool:
    """Whether its own flags for limits are accepted here: on cgroup v1 only from root, on v2 with a session."""
    argv = [
        program,
        "--quiet",
        "exec",
        *hardened([], None),
        *limit_flags(Limits(cpus=1)),
        str(sif.path),
        "true",
    ]
    return _ask(argv).returncode == 0


@lru_cache(maxsize=16)
def _try(program: str, sif: Sif) -> str | None:
    """Run a line; what is wrong with it, or None."""
    done = _ask(_line(program, sif, NETWORK))
    if done.returncode:
        return f"a line in the base image failed: {_last(done)}"
    names = done.stdout.split()
    return None if names == ["lo"] else f"a container without network still sees {' '.join(names)}"


@lru_cache(maxsize=16)
def _gpus_inside(program: str, sif: Sif, wanted: int) -> None:
    """Look for the devices from inside: `--nv` succeeds without any."""
    done = _ask(_line(program, sif, DEVICES, gpus=wanted))
    found = [name for name in done.stdout.split() if name.removeprefix("nvidia").isdigit()]
    if len(found) < wanted:
        raise HarnessError(
            "Apptainer gives no GPU to a container",
            got=f"--nv was accepted, and {len(found)} devices are inside",
            expected=f"{wanted} device(s) /dev/nvidia*",
            mend="choose a machine with NVIDIA's driver; on a cluster ask for one with --gres gpu:1",
        )


@lru_cache(maxsize=4)
def _version(program: str) -> str:
    done = _ask([program, "--version"])
    if done.returncode:
        raise HarnessError(
            "Apptainer does not start", where=program, got=_last(done), mend=f"{program} --version"
        )
    return done.stdout.split()[-1] if done.stdout.split() else ""


def _line(program: str, sif: Sif, shell: str, gpus: int = 0) -> list[str]:
    return [program, "--quiet", "exec", *hardened([], "/", gpus=gpus), str(sif.path), "/bin/sh", "-c", shell]


def _ask(argv: Sequence[str]) -> subprocess.CompletedProcess[str]:
    """A question to the program, answered in any case."""
    try:
        return subprocess.run(
            argv,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=PROBE_SECONDS,
            env=client_environment({}),
            cwd=os.sep,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return subprocess.CompletedProcess(argv, OWN_FAULT, "", str(error))


def _last(done: subprocess.CompletedProcess[str]) -> str:
    lines = (done.stderr or done.stdout).strip().splitlines()
    return lines[-1][:300] if lines else f"exit code {done.returncode}"

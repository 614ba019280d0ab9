"""Real engines, brought up by the scripts of `.ci/engines` and then broken one part at a time."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from harness.doctor.engines import probe_docker, probe_podman
from harness.doctor.queues import probe_queue
from harness.doctor.slurm import probe_slurm

SCRIPTS = Path(__file__).parents[2] / ".ci" / "engines"
pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="the scripts that bring engines up need root")


class Engine:
    """One engine of our own in a folder of its own."""

    def __init__(self, name: str, *options: str) -> None:
        self.home = Path(
            tempfile.mkdtemp(prefix=f"h-{name}-", dir="/var/tmp")
        )  # a socket's path must be short
        self._script, self._options = SCRIPTS / f"{name}.sh", options

    def up(self) -> None:
        self._do("up", *self._options)

    def down(self, *options: str) -> None:
        self._do("down", *options)

    def kill(self, daemon: str) -> None:
        """End a daemon as a crash would, and wait until it is gone."""
        pid = int((self.home / "run" / f"{daemon}.pid").read_text())
        psutil.Process(pid).kill()
        psutil.wait_procs([daemon for daemon in psutil.process_iter() if daemon.pid == pid], timeout=20)

    def _do(self, verb: str, *options: str) -> None:
        done = subprocess.run(
            [self._script, verb, "--home", str(self.home), *options],
            capture_output=True,
            text=True,
            timeout=180,
            check=False,
        )
        assert done.returncode == 0, done.stderr


@pytest.fixture
def engine() -> Iterator:
    made: list[Engine] = []

    def make(name: str, *options: str) -> Engine:
        made.append(Engine(name, *options))
        return made[-1]

    yield make
    for one in made:
        one.down("--wipe")
        shutil.rmtree(one.home, ignore_errors=True)


def free_port() -> int:
    """The first of three ports in a row that nobody listens on."""
    for start in range(20817, 32000, 7):
        try:
            for port in (start, start + 1, start + 2):
                with socket.socket() as line:
                    line.bind(("127.0.0.1", port))
        except OSError:
            continue
        return start
    raise AssertionError("no free ports")


@pytest.mark.docker
def test_docker_up_and_down(monkeypatch, engine):
    docker = engine("docker", "--no-image")
    monkeypatch.setenv("DOCKER_HOST", f"unix://{docker.home}/run/engine.sock")
    assert not probe_docker().works
    docker.up()
    assert probe_docker().works
    docker.kill("dockerd")
    assert "Connection refused" in probe_docker().reason
    docker.up()
    assert probe_docker().works
    docker.down()
    assert "No such file or directory" in probe_docker().reason


@pytest.mark.podman
def test_podmans_socket_without_its_service(monkeypatch, engine):
    podman = engine("podman", "--no-image")
    monkeypatch.setenv("CONTAINER_HOST", f"unix://{podman.home}/run/engine.sock")
    podman.up()
    assert probe_podman().works
    podman.kill("podman")
    assert "Connection refused" in probe_podman().reason


@pytest.mark.slurm
def test_slurm_in_every_state(monkeypatch, engine):
    slurm = engine("slurm", "--no-accounting", "--polled", "--port", str(free_port()))
    monkeypatch.setenv("SLURM_CONF", str(slurm.home / "etc" / "slurm.conf"))
    assert "does not exist" in probe_slurm().reason
    slurm.up()
    found = probe_queue()
    assert found.works, found.reason
    assert "a line ran on" in found.facts["job"]
    assert "disabled" in found.facts["accounting"]
    subprocess.run(
        ["scontrol", "update", "nodename=localhost", "state=drain", "reason=test"], check=True, timeout=30
    )
    assert "no node takes jobs" in probe_slurm().reason
    subprocess.run(["scontrol", "update", "nodename=localhost", "state=resume"], check=True, timeout=30)
    slurm.kill("munged")
    assert "start munged" in probe_slurm().mend
    slurm.up()
    assert probe_slurm().works
    slurm.kill("slurmctld")
    assert probe_slurm().reason.startswith("slurmctld does not answer")
    slurm.up()
    assert probe_slurm().works

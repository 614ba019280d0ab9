"""Docker and Podman in each state: up, down, a client without an engine, a socket without a service, the wrong engine."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.doctor import engines
from harness.doctor.engines import probe_docker, probe_engine, probe_podman


@pytest.fixture
def client_of(monkeypatch, tmp_path):
    """A PATH on which the client of an engine lies, or nothing at all."""

    def put(*names: str) -> None:
        for name in names:
            (tmp_path / "bin").mkdir(exist_ok=True)
            (tmp_path / "bin" / name).write_text("#!/bin/sh\n")
            (tmp_path / "bin" / name).chmod(0o755)
        monkeypatch.setenv("PATH", str(tmp_path / "bin"))

    return put


@pytest.fixture
def listener(tmp_path: Path) -> Iterator[tuple[Path, list[bytes]]]:
    """A service on a socket that answers each caller with the bytes of a list, or never where it is empty."""
    address, answers = tmp_path / "engine.sock", []
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(address))
        server.listen()
        callers = []

        def serve() -> None:
            while True:
                try:
                    caller, _ = server.accept()
                except OSError:
                    return
                callers.append(caller)
                with contextlib.suppress(OSError):
                    for answer in answers:
                        caller.sendall(answer)
                        caller.shutdown(socket.SHUT_RDWR)

        threading.Thread(target=serve, daemon=True).start()
        yield address, answers
        server.shutdown(socket.SHUT_RDWR)
        for caller in callers:
            caller.close()


@pytest.mark.parametrize("name", ["docker", "podman"])
def test_a_client_without_an_engine_is_no_engine(monkeypatch, tmp_path, client_of, name):
    client_of(name)
    monkeypatch.setenv(engines.VARIABLE[name], f"unix://{tmp_path}/nobody.sock")
    found = probe_engine(name)
    assert not found.works
    assert found.reason.startswith(f"a {name} client is installed, but no engine answers")
    assert "nobody.sock: No such file or directory" in found.reason
    assert found.mend == engines.START[name]


@pytest.mark.parametrize("name", ["docker", "podman"])
def test_a_machine_without_the_engine_is_told_how_to_install_it(monkeypatch, tmp_path, client_of, name):
    client_of()
    monkeypatch.setenv(engines.VARIABLE[name], f"unix://{tmp_path}/nobody.sock")
    found = probe_engine(name)
    assert found.reason.startswith(f"no {name} engine answers")
    assert found.mend == engines.INSTALL[name]


def test_a_socket_file_without_a_service_is_named(monkeypatch, tmp_path):
    address = tmp_path / "left.sock"
    with socket.socket(socket.AF_UNIX) as gone:
        gone.bind(str(address))
    monkeypatch.setenv("CONTAINER_HOST", f"unix://{address}")
    found = probe_podman()
    assert not found.works
    assert "left.sock: Connection refused" in found.reason


def test_a_service_that_never_answers_does_not_hang_the_doctor(monkeypatch, listener):
    address, _ = listener
    monkeypatch.setattr(engines, "SECONDS", 0.3)
    monkeypatch.setenv("DOCKER_HOST", f"unix://{address}")
    found = probe_docker()
    assert not found.works
    assert "timed out" in found.reason.lower()


def test_a_service_that_speaks_no_docker_is_no_engine(monkeypatch, listener):
    address, answers = listener
    answers.append(b"HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello")
    monkeypatch.setenv("DOCKER_HOST", f"unix://{address}")
    found = probe_docker()
    assert not found.works
    assert str(address) in found.reason


def test_an_address_that_is_none_is_said_to_be_none(monkeypatch):
    monkeypatch.setenv("DOCKER_HOST", "nonsense://somewhere")
    assert "nonsense://somewhere" in probe_docker().reason


@pytest.mark.docker
def test_a_running_docker_is_described():
    found = probe_docker()
    assert found.works
    assert found.version
    assert set(found.facts) == {"socket", "limits", "cgroup", "storage", "rights"}


@pytest.mark.podman
def test_podman_on_the_variable_of_docker_is_named_and_not_taken_for_docker(monkeypatch):
    assert probe_podman().works
    monkeypatch.setenv("DOCKER_HOST", os.environ["CONTAINER_HOST"])
    found = probe_docker()
    assert not found.works
    assert "podman answers there, set CONTAINER_HOST to it" in found.reason

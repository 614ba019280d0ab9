"""The machine: what is little is said with the number, and what is missing with what it would be needed for."""

from __future__ import annotations

from collections import namedtuple

import psutil
import pytest

from harness.doctor import machine
from harness.doctor.machine import GIB, cgroup_limits, probe_disk, probe_gpu, probe_installer, probe_memory

Usage = namedtuple("Usage", "total used free")


@pytest.fixture
def nvidia(monkeypatch, tmp_path):
    """A `nvidia-smi` that prints what it is given."""

    def put(script: str) -> None:
        (tmp_path / "nvidia-smi").write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / "nvidia-smi").chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")

    return put


def test_gpus_are_listed_with_their_driver(nvidia):
    nvidia('printf "NVIDIA L40S, 46068 MiB, 550.54\\nNVIDIA L40S, 46068 MiB, 550.54\\n"')
    found = probe_gpu()
    assert (found.works, found.version) == (True, "550.54")
    assert found.facts["gpus"].count("L40S") == 2


def test_a_driver_that_does_not_fit_speaks_for_itself(nvidia):
    nvidia('echo "Failed to initialize NVML: Driver/library version mismatch" >&2; exit 18')
    found = probe_gpu()
    assert not found.works
    assert "version mismatch" in found.reason


def test_a_machine_without_a_gpu_is_told_who_needs_one(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    found = probe_gpu()
    assert not found.works
    assert "only submissions with gpus" in found.mend


def test_little_disk_is_named_by_place_and_folders_that_do_not_exist_yet_count_as_their_parent(
    monkeypatch, tmp_path
):
    assert probe_disk({"runs": tmp_path / "not" / "yet"}).facts["runs"].endswith(f"free at {tmp_path}")
    monkeypatch.setattr(machine.shutil, "disk_usage", lambda _: Usage(10 * GIB, 9 * GIB, GIB))
    found = probe_disk({"runs": tmp_path})
    assert not found.works
    assert f"1.0 GiB at {tmp_path} (runs)" in found.reason


def test_little_memory_is_said_with_the_number(monkeypatch):
    Memory = namedtuple("Memory", "total available")
    monkeypatch.setattr(psutil, "virtual_memory", lambda: Memory(8 * GIB, 3 * GIB))
    monkeypatch.setattr(machine, "cgroup_limits", list)
    assert "3.0 GiB are free" in probe_memory().reason
    monkeypatch.setattr(psutil, "virtual_memory", lambda: Memory(64 * GIB, 60 * GIB))
    assert probe_memory().works
    monkeypatch.setattr(machine, "cgroup_limits", lambda: [2 * GIB])
    assert "2.0 GiB are free" in probe_memory().reason


def test_the_limit_of_a_cgroup_is_read_in_both_versions(tmp_path):
    assert cgroup_limits(tmp_path) == []
    (tmp_path / "memory.max").write_text("max\n")
    (tmp_path / "memory").mkdir()
    (tmp_path / "memory" / "memory.limit_in_bytes").write_text("1048576\n")
    assert cgroup_limits(tmp_path) == [1048576]


def test_the_installer_of_environments_is_named():
    assert probe_installer().facts["preferred"] in ("uv", "pip")

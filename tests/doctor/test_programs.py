"""bubblewrap, Apptainer and SLURM where they are missing, broken or half-configured."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

import pytest

from harness.doctor.apptainer import probe_apptainer
from harness.doctor.bubblewrap import network_devices, probe_bubblewrap
from harness.doctor.command import ask
from harness.doctor.probes import PROBES
from harness.doctor.slurm import probe_slurm


@pytest.fixture
def program(monkeypatch, tmp_path):
    """Put a program on a PATH that has no other of its name."""

    def put(name: str, script: str) -> Path:
        (tmp_path / "bin").mkdir(exist_ok=True)
        path = tmp_path / "bin" / name
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
        return path

    return put


@pytest.mark.parametrize(("engine", "said"), [
    ("bwrap", "`bwrap` is not on PATH"),
    ("apptainer", "neither `apptainer` nor `singularity` is on PATH"),
    ("slurm", "`sbatch` is not on PATH"),
    ("chromium", "`chromium` is not on PATH"),
])  # fmt: skip
def test_a_missing_program_is_named_with_the_line_that_installs_it(monkeypatch, tmp_path, engine, said):
    monkeypatch.setenv("PATH", str(tmp_path))
    found = PROBES[engine]()
    assert (found.works, found.reason) == (False, said)
    assert "\n" not in found.mend
    assert found.mend


def test_a_bubblewrap_that_may_not_make_namespaces_says_what_forbids_it(program):
    program("bwrap", '[ "$1" = --version ] && echo "bubblewrap 0.8.0" && exit 0\n'
            'echo "bwrap: No permissions to create a new namespace" >&2; exit 1')  # fmt: skip
    found = probe_bubblewrap()
    assert (found.works, found.version) == (False, "0.8.0")
    assert "No permissions to create a new namespace" in found.reason
    assert "user namespaces" in found.mend


def test_a_sandbox_that_still_has_a_network_is_no_sandbox(program):
    program(
        "bwrap",
        '[ "$1" = --version ] && echo "bubblewrap 0.8.0" && exit 0\ncat /proc/net/dev; echo " eth0: 0 0"',
    )
    assert "sees the host's network" in probe_bubblewrap().reason


@pytest.mark.bwrap
def test_a_bubblewrap_that_works_is_described():
    found = probe_bubblewrap()
    assert found.works
    assert re.fullmatch(r"\d+\.\d+.*", found.version)


def test_network_devices_are_read_from_the_kernels_table():
    table = "Inter-|   Receive\n face |bytes\n    lo:  0 0\n  eth0: 1 2\n"
    assert network_devices(table) == {"lo", "eth0"}


def test_an_apptainer_that_does_not_start_says_why(program):
    path = program("apptainer", 'echo "FATAL:   Unable to find /etc/apptainer/apptainer.conf" >&2; exit 255')
    found = probe_apptainer()
    assert not found.works
    assert found.reason == f"{path} version: FATAL:   Unable to find /etc/apptainer/apptainer.conf".replace(
        "   ", " "
    )


@pytest.mark.apptainer
def test_an_apptainer_that_works_is_described():
    assert probe_apptainer().version


def test_a_slurm_client_without_configuration_is_answered_at_once(program, monkeypatch, tmp_path):
    program("sbatch", "sleep 60")
    monkeypatch.setenv("SLURM_CONF", str(tmp_path / "none.conf"))
    found = probe_slurm()
    assert not found.works
    assert f"{tmp_path}/none.conf does not exist" in found.reason
    assert "SLURM_CONF" in found.mend


@pytest.mark.slurm
def test_a_slurm_whose_munge_is_dead_names_munge(monkeypatch, tmp_path):
    conf = Path(os.environ.get("SLURM_CONF") or "/etc/slurm/slurm.conf")
    text = re.sub(r"(?m)^AuthInfo=.*$", "", conf.read_text())
    copy = tmp_path / "slurm.conf"
    copy.write_text(f"{text}\nAuthInfo=socket={tmp_path}/nobody.sock\n")
    for name in ("cgroup.conf", "gres.conf"):
        if (conf.parent / name).exists():
            shutil.copy(conf.parent / name, tmp_path)
    monkeypatch.setenv("SLURM_CONF", str(copy))
    found = probe_slurm()
    assert not found.works
    assert "unge" in found.reason
    assert "start munged" in found.mend


@pytest.mark.slurm
def test_a_slurm_whose_controller_is_down_is_named(monkeypatch, tmp_path):
    conf = Path(os.environ.get("SLURM_CONF") or "/etc/slurm/slurm.conf")
    copy = tmp_path / "slurm.conf"
    copy.write_text(re.sub(r"(?m)^SlurmctldPort=.*$", "SlurmctldPort=9", conf.read_text()))
    monkeypatch.setenv("SLURM_CONF", str(copy))
    found = probe_slurm()
    assert not found.works
    assert found.reason.startswith("slurmctld does not answer")
    assert "DOWN" in found.reason


@pytest.mark.slurm
def test_a_slurm_that_works_names_its_partitions_and_whether_it_keeps_accounts():
    found = probe_slurm()
    assert found.works
    assert set(found.facts) == {"partitions", "gres", "accounting"}


@pytest.mark.parametrize(
    ("state", "works"), [("idle", True), ("mixed", True), ("drained", False), ("down*", False)]
)
def test_a_cluster_takes_jobs_only_with_a_node_that_is_well(program, monkeypatch, tmp_path, state, works):
    for name, said in (("sbatch", "slurm-wlm 22.05.8"), ("scontrol", "Slurmctld(primary) at c is UP")):
        program(name, f"echo '{said}'")
    program("sinfo", f"echo 'gpu*|up|{state}|gpu:a100:4|1-00:00:00'")
    program("sacct", "echo 'Slurm accounting storage is disabled' >&2; exit 1")
    (tmp_path / "slurm.conf").touch()
    monkeypatch.setenv("SLURM_CONF", str(tmp_path / "slurm.conf"))
    found = probe_slurm()
    assert found.works is works
    if works:
        assert found.version == "22.05.8"
        assert found.facts["gres"] == "gpu:a100:4"
        assert "Slurm accounting storage is disabled" in found.facts["accounting"]
    else:
        assert found.reason == f"no node takes jobs: gpu* {state}"


def test_a_program_that_hangs_is_left_after_its_time():
    assert ask(["sleep", "60"], seconds=0.2).last_words == "sleep: no answer within 0.2 s"


def test_a_program_that_says_nothing_is_quoted_by_its_code():
    assert ask(["sh", "-c", "exit 3"]).last_words == "exit code 3, no message"

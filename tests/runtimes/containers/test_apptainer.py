"""Apptainer: no daemon, an image file; what it says of itself and what it says of the submission are told apart."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from harness.contract.status import RunStatus
from harness.runtimes.containers.apptainer_options import client_environment, hardened, mount
from harness.runtimes.containers.apptainer_runtime import ApptainerRuntime
from harness.runtimes.containers.layout import Bind, user_inside
from harness.runtimes.protocol import OFFICIAL, Guarantee

RUNTIME = ApptainerRuntime()


def test_the_options_hold_a_container_in_every_way():
    options = hardened([Bind(Path("/a"), "/task"), Bind(Path("/b"), "/output", writable=True)], "/submission")
    for flag in ("--containall", "--cleanenv", "--no-home", "--no-privs"):
        assert flag in options
    assert options[options.index("--net") + 1 :][:2] == ["--network", "none"]
    assert ("--security" in options) == (os.geteuid() == 0)
    assert '"type=bind","source=/a","destination=/task","ro"' in options
    assert '"type=bind","source=/b","destination=/output"' in options
    assert "--nv" not in options
    assert "--nv" in hardened([], None, gpus=1)


def test_a_mount_bears_every_path():
    assert (
        mount(Bind(Path('/a,b:"c"'), "/task")) == '"type=bind","source=/a,b:""c""","destination=/task","ro"'
    )


def test_the_client_is_told_nothing_that_changes_its_options(monkeypatch):
    monkeypatch.setenv("APPTAINER_BIND", "/root")
    monkeypatch.setenv("SECRET_TOKEN", "abc")
    told = client_environment({"HARNESS_SEED": "7", "HOME": "/tmp"})
    assert told["APPTAINERENV_HARNESS_SEED"] == "7"
    assert not {"APPTAINER_BIND", "SECRET_TOKEN", "APPTAINERENV_HOME"} & told.keys()


def test_without_the_program_the_offer_says_how_to_get_it(monkeypatch, tmp_path, container_job):
    monkeypatch.setenv("PATH", str(tmp_path))
    offer = RUNTIME.offer()
    assert not offer.works
    assert "not installed" in offer.reason
    assert "apptainer.org" in offer.mend
    assert RUNTIME.run(container_job("")).status is RunStatus.ENVIRONMENT


@pytest.mark.apptainer
def test_it_offers_every_official_guarantee():
    offer = RUNTIME.offer()
    assert offer.works, offer.reason
    assert set(OFFICIAL) <= set(offer.granted)


@pytest.mark.apptainer
def test_the_payload_has_no_rights(base_sif, container_job):
    job = container_job(
        """
        import json, os
        status = dict(line.split(":", 1) for line in open("/proc/self/status"))
        told = {name: status[name].strip() for name in ("Uid", "CapEff", "CapBnd", "NoNewPrivs")}
        told["devices"] = [line.split(":")[0].strip() for line in open("/proc/net/dev") if ":" in line]
        told["home"] = os.environ["HOME"]
        told["tmp"] = os.statvfs("/tmp").f_blocks * os.statvfs("/tmp").f_frsize
        json.dump(told, open("/output/told.json", "w"))
        """,
        tmp_bytes=8 << 20,
    )
    outcome = RUNTIME.run(job)
    assert outcome.status is RunStatus.OK, outcome.detail
    told = json.loads((job.output / "told.json").read_text())
    assert set(told["Uid"].split()) == {str(user_inside()[0])}
    assert int(told["CapEff"], 16) == int(told["CapBnd"], 16) == 0
    assert told["NoNewPrivs"] == "1"
    assert told["devices"] == ["lo"]
    assert told["home"] == "/tmp"
    if os.geteuid() == 0:
        assert told["tmp"] == 8 << 20
    assert (job.output / "told.json").stat().st_uid == os.geteuid()
    assert Guarantee.OFFLINE in outcome.granted


@pytest.mark.apptainer
@pytest.mark.parametrize("code", [200, 255])
def test_a_large_exit_code_is_the_submissions_own(base_sif, code, container_job):
    outcome = RUNTIME.run(container_job(f"raise SystemExit({code})"))
    assert (outcome.status, outcome.exit_code, outcome.signal) == (RunStatus.FAILED, code, None)
    assert f"exit code {code}" in outcome.detail


@pytest.mark.apptainer
def test_what_apptainer_itself_refuses_is_the_environments_fault(
    tmp_path, base_sif, monkeypatch, container_job
):
    job = container_job("", run={"command": ["no-such-program"]})
    outcome = RUNTIME.run(job)
    assert outcome.status is RunStatus.ENVIRONMENT
    assert "no-such-program" in outcome.detail
    broken = tmp_path / "broken.sif"
    broken.write_bytes(b"no image")
    monkeypatch.setenv("HARNESS_BASE_IMAGE", str(broken))
    outcome = RUNTIME.run(container_job(""))
    assert outcome.status is RunStatus.ENVIRONMENT


@pytest.mark.apptainer
def test_a_missing_image_is_named_with_the_line_that_makes_it(monkeypatch, container_job):
    monkeypatch.setenv("HARNESS_BASE_IMAGE", "perturbfm-not-there")
    outcome = RUNTIME.run(container_job(""))
    assert outcome.status is RunStatus.ENVIRONMENT
    assert "harness image build" in outcome.detail


@pytest.mark.apptainer
def test_a_gpu_that_is_not_there_is_found_out_though_nv_is_accepted(base_sif, container_job):
    if any(Path("/dev").glob("nvidia[0-9]*")):
        pytest.skip("this machine has a GPU")
    outcome = RUNTIME.run(container_job("print('ran')", gpus=1))
    assert outcome.status is RunStatus.ENVIRONMENT
    assert "--nv was accepted, and 0 devices are inside" in outcome.detail

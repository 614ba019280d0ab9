"""Docker and Podman: what a run finds inside, what holds it, and that nothing of it stays behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
import time

import pytest

from harness.contract.status import RunStatus
from harness.errors import HarnessError
from harness.runtimes.containers import layout
from harness.runtimes.containers.cgroup import memory_cgroup
from harness.runtimes.containers.container import run_container
from harness.runtimes.containers.engine import Engine, NoEngineError, candidates, find_engine
from harness.runtimes.containers.leftovers import OWNER, find_leftovers, is_dead, owner, remove_leftovers
from harness.runtimes.containers.options import Spec, container_config, host_config
from harness.runtimes.containers.probe import gpus_inside
from harness.runtimes.containers.runtime import EngineRuntime, guarantees
from harness.runtimes.containers.watch import ContainerWatch
from harness.runtimes.protocol import OFFICIAL, Guarantee, Limits

ENGINES = [pytest.param(name, marks=getattr(pytest.mark, name)) for name in ("docker", "podman")]


@pytest.fixture(params=ENGINES)
def runtime(request: pytest.FixtureRequest) -> EngineRuntime:
    return EngineRuntime(request.param)


@pytest.fixture
def engine(runtime: EngineRuntime) -> Engine:
    return find_engine(runtime.name)


def containers(engine: Engine) -> set[str]:
    """Containers of ours and of the processes that a test started."""
    with engine.client() as client:
        found = client.containers(all=True, filters={"label": OWNER})
    return {one["Id"] for one in found if one["Labels"][OWNER].split("~")[1] == str(os.getpid())}


def test_the_options_hold_a_container_in_every_way(container_job, tmp_path):
    job = container_job("", pids=20, tmp_bytes=1 << 20)
    spec = Spec("image", ["true"], {}, layout.binds(job, tmp_path), job.limits)
    held = host_config(spec)
    assert held["network_mode"] == "none"
    assert held["read_only"] is True
    assert held["cap_drop"] == ["ALL"]
    assert held["security_opt"] == ["no-new-privileges"]
    assert held["privileged"] is False
    assert held["mem_limit"] == held["memswap_limit"] == job.limits.memory_bytes
    assert (held["pids_limit"], held["cpu_quota"] / held["cpu_period"]) == (20, 1)
    assert "size=1048576" in held["tmpfs"]["/tmp"]
    assert {one["Name"] for one in held["ulimits"]} == {"core", "fsize", "nofile", "nproc"}
    assert [(one["Target"], one["ReadOnly"]) for one in held["mounts"] if not one["ReadOnly"]] == [
        ("/output", False)
    ]
    user = container_config(spec)["user"]
    assert user == ("65534:65534" if os.geteuid() == 0 else f"{os.geteuid()}:{os.getegid()}")


def test_only_the_task_the_output_and_the_submission_exist_inside(container_job, tmp_path):
    job = container_job("", run={"module": "main:submission", "packages": ["perturbfm"]})
    seen = layout.binds(job, tmp_path)
    assert [one.target for one in seen] == [
        "/task",
        "/output",
        "/submission",
        "/opt/harness/harness/sdk.py",
        "/opt/harness/perturbfm",
    ]
    own = layout.binds(container_job("", run={"build": "Containerfile"}), tmp_path)
    assert [one.target for one in own] == ["/task", "/output"]


def test_a_module_a_command_and_an_image_are_started_with_the_folders(container_job):
    folders = ["--task", "/task", "--output", "/output"]
    module = container_job("", run={"module": "main:submission"})
    assert layout.argv(module) == ["python3", "-m", "harness.sdk", "main:submission", *folders]
    assert layout.argv(container_job("")) == ["python3", "main.py", *folders]
    assert layout.argv(container_job("", run={"build": "Containerfile"})) == folders


def test_the_environment_tells_the_contract_and_nothing_of_the_caller(monkeypatch, container_job):
    monkeypatch.setenv("SECRET_TOKEN", "abc")
    told = layout.environment(container_job(""))
    assert told["HARNESS_TASK"], told["HARNESS_OUTPUT"] == ("/task", "/output")
    assert json.loads(told["HARNESS_PARAMS"]) == {"a": 1}
    assert told["HARNESS_SEED"] == "7"
    assert "SECRET_TOKEN" not in told
    assert "PATH" not in told


def test_a_variable_that_names_an_engine_is_the_only_place_looked_at(monkeypatch):
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere/engine.sock")
    assert candidates("docker") == ["unix:///nowhere/engine.sock"]
    with pytest.raises(NoEngineError) as refusal:
        find_engine("docker")
    assert "there is no socket of that name" in str(refusal.value)
    assert refusal.value.mend
    offer = EngineRuntime("docker").offer()
    assert not offer.works
    assert "no Docker engine answers" in offer.reason


def test_a_run_without_its_engine_is_the_environments_fault(tmp_path, monkeypatch, container_job):
    monkeypatch.setenv("CONTAINER_HOST", f"unix://{tmp_path}/none.sock")
    outcome = EngineRuntime("podman").run(container_job(""))
    assert outcome.status is RunStatus.ENVIRONMENT
    assert "no Podman engine answers" in outcome.detail


def test_a_rootless_engine_on_cgroup_1_is_not_believed_its_limits():
    with_limits = Engine("podman", "podman", "unix:///x", "4", "1.41", frozenset({Guarantee.MEMORY}), False)
    without = Engine("podman", "podman", "unix:///x", "4", "1.41", frozenset(), True)
    assert Guarantee.MEMORY in guarantees(with_limits)
    assert Guarantee.MEMORY not in guarantees(without)
    assert Guarantee.UID_DROP not in guarantees(without)


def test_a_label_is_dead_only_where_its_process_of_this_machine_is():
    assert not is_dead(owner())
    host, pid, start = owner().split("~")
    assert is_dead(f"{host}~{pid}~{float(start) - 1000:.1f}"), "the number came back to another process"
    assert is_dead(f"{host}~999999999~1.0")
    assert not is_dead("elsewhere~999999999~1.0")
    assert not is_dead("")


def test_the_memory_cgroup_of_a_process_is_found():
    folder = memory_cgroup(os.getpid())
    assert folder is None or str(folder).startswith("/sys/fs/cgroup")
    assert memory_cgroup(999999999) is None


def test_the_engine_offers_every_official_guarantee(runtime):
    offer = runtime.offer()
    assert offer.works, offer.reason
    assert offer.isolation == "container"
    assert set(OFFICIAL) <= set(offer.granted)
    assert offer.version


def test_the_payload_has_no_rights(runtime, container_job):
    job = container_job(
        """
        import json, os
        status = dict(line.split(":", 1) for line in open("/proc/self/status"))
        told = {name: status[name].strip() for name in ("Uid", "CapEff", "CapBnd", "NoNewPrivs", "Seccomp")}
        told["devices"] = [line.split(":")[0].strip() for line in open("/proc/net/dev") if ":" in line]
        told["files"] = sorted(os.listdir("/submission") + os.listdir("/task"))
        told["environment"] = {name: os.environ.get(name) for name in ("HARNESS_SEED", "HOME", "OMP_NUM_THREADS")}
        json.dump(told, open("/output/told.json", "w"))
        """,
    )
    outcome = runtime.run(job)
    assert outcome.status is RunStatus.OK, outcome.detail
    told = json.loads((job.output / "told.json").read_text())
    assert set(told["Uid"].split()) == {str(layout.user_inside()[0])}
    assert int(told["CapEff"], 16) == int(told["CapBnd"], 16) == 0
    assert told["NoNewPrivs"] == "1"
    assert told["Seccomp"] == "2"
    assert told["devices"] == ["lo"]
    assert told["files"] == ["inside.txt", "main.py"]
    assert told["environment"] == {"HARNESS_SEED": "7", "HOME": "/tmp", "OMP_NUM_THREADS": "1"}
    assert (job.output / "told.json").stat().st_uid == os.geteuid(), "the output is the harness's own again"
    assert outcome.granted[Guarantee.MEMORY].startswith("cgroup")


def test_a_missing_image_is_named_with_the_line_that_makes_it(runtime, monkeypatch, container_job):
    monkeypatch.setenv("HARNESS_BASE_IMAGE", "perturbfm-not-there")
    outcome = runtime.run(container_job(""))
    assert outcome.status is RunStatus.ENVIRONMENT
    assert "perturbfm-not-there" in outcome.detail
    assert "harness image build containers/base.Containerfile" in outcome.detail
    offer = runtime.offer()
    assert offer.works
    assert "only submissions with an image of their own" in offer.reason


def test_an_engine_that_takes_a_request_for_a_gpu_and_gives_none_is_found_out(
    runtime, engine, tmp_path, container_job
):
    try:
        found = gpus_inside(engine, 1)
    except HarnessError:
        found = 0
    if found:
        pytest.skip("this engine has a GPU")
    outcome = runtime.run(container_job("print('ran')", gpus=1))
    assert outcome.status is RunStatus.ENVIRONMENT
    assert "gives no GPU to a container" in outcome.detail
    assert "ran" not in (tmp_path / "log.txt").read_text()
    assert containers(engine) == set()


def test_a_killed_harness_leaves_no_container(runtime, engine, tmp_path, container_job):
    """Its guard ends the container; the label would let the next harness do it."""
    job = container_job("import time; print('up'); time.sleep(120)")
    program = textwrap.dedent(
        f"""
        from pathlib import Path
        from harness.runtimes.containers.runtime import EngineRuntime
        from harness.runtimes.protocol import Job, Limits
        from harness.contract.manifest import Submission
        root = Path({str(tmp_path)!r})
        manifest = Submission.model_validate_json({job.manifest.model_dump_json(by_alias=True)!r})
        EngineRuntime({runtime.name!r}).run(
            Job(manifest, root / "submission", root / "task", root / "out", root / "log", {{}}, 1, Limits(seconds=100))
        )
        """
    )
    harness = subprocess.Popen([sys.executable, "-c", program], start_new_session=True)

    def mine() -> list[str]:
        with engine.client() as client:
            found = client.containers(all=True, filters={"label": OWNER})
        return [one["State"] for one in found if one["Labels"][OWNER].split("~")[1] == str(harness.pid)]

    try:
        assert eventually(lambda: mine() == ["running"])
    finally:
        os.killpg(harness.pid, signal.SIGKILL)
        harness.wait()
    assert eventually(lambda: mine() == [])


def test_what_outlived_its_harness_is_found_and_removed_and_nothing_else(engine):
    host, _, _ = owner().split("~")
    with engine.client() as client:
        old, young = (
            client.create_container(
                "perturbfm-base",
                ["sleep", "60"],
                labels={OWNER: label},
                host_config=client.create_host_config(network_mode="none"),
            )["Id"]
            for label in (f"{host}~999999999~1.0", owner())
        )
        try:
            assert old in {one.id for one in find_leftovers(engine)}
            assert young not in {one.id for one in find_leftovers(engine)}
            remove_leftovers(engine)
            there = {one["Id"] for one in client.containers(all=True)}
            assert old not in there
            assert young in there
        finally:
            client.remove_container(young, force=True)


def test_an_interrupted_run_says_so_and_leaves_no_container(runtime, engine, container_job):
    seen = []

    def stop(progress):
        seen.append(progress.step)
        raise KeyboardInterrupt

    code = """
        import json, time
        with open("/output/progress.jsonl", "w") as lines:
            lines.write(json.dumps({"step": 1, "of": 2, "message": "half"}) + "\\n")
        time.sleep(60)
    """
    outcome = runtime.run(container_job(code), stop)
    assert seen == [1]
    assert outcome.status is RunStatus.INTERRUPTED
    assert containers(engine) == set()


def test_an_image_is_run_by_its_digest_though_its_name_was_moved(engine, tmp_path):
    from harness.runtimes.containers.images import find_image

    found = find_image(engine, "perturbfm-base")
    assert found is not None
    again = find_image(engine, f"somewhere/else@{found.digest}")
    assert again is not None
    assert again.digest == found.digest
    assert find_image(engine, "somewhere/else@sha256:" + "0" * 64) is None


def test_a_container_that_cannot_be_made_leaves_nothing_and_no_guard(engine, container_job):
    job = container_job("")
    job.output.mkdir(parents=True)
    spec = Spec("perturbfm-not-there", ["true"], {}, [], Limits())
    with pytest.raises(Exception, match=r"(?i)no such image|not-there"):
        run_container(engine, spec, job, ContainerWatch(job.output, job.limits), None)
    assert containers(engine) == set()


def test_a_warm_run_costs_little_more_than_its_program(runtime, container_job):
    """The promise is 1.2 s on a quiet machine (benchmarks/runtimes_job.py); here others run at the same time."""
    job = container_job("")
    runtime.run(job)
    took = []
    for _ in range(3):
        started = time.monotonic()
        assert runtime.run(job).status is RunStatus.OK
        took.append(time.monotonic() - started)
    assert min(took) < 6


def eventually(holds, seconds: float = 30) -> bool:
    """Whether something becomes true within some seconds."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if holds():
            return True
        time.sleep(0.05)
    return False

"""What the sandbox of `process` adds, layer by layer, as root and as anybody else; and that it never steps down silently."""

from __future__ import annotations

import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import textwrap
from dataclasses import replace
from pathlib import Path

import pytest

import harness
from harness.contract.status import RunStatus
from harness.errors import HarnessError
from harness.runtimes.process import ProcessRuntime, layer_named
from harness.runtimes.protocol import OFFICIAL, Guarantee
from harness.runtimes.registry import choose_runtime, stepping_down
from harness.runtimes.sandbox import layers
from harness.runtimes.sandbox.layers import Layer, best_layer, limits_alone, try_layer

bwrap = pytest.mark.bwrap


@pytest.fixture
def without_bubblewrap(monkeypatch):
    """A machine on which nobody installed bubblewrap."""
    found = shutil.which
    monkeypatch.setattr(layers.shutil, "which", lambda name: None if name == "bwrap" else found(name))
    best_layer.cache_clear()
    monkeypatch.setattr("harness.runtimes.registry._OFFERS", {})
    yield
    best_layer.cache_clear()


@bwrap
def test_a_sandbox_gives_everything_that_an_official_run_needs():
    offer = ProcessRuntime().offer()
    assert offer.isolation == "sandbox"
    assert set(OFFICIAL) <= set(offer.granted)
    assert set(offer.granted) | set(offer.missing) == set(Guarantee)
    assert not set(offer.granted) & set(offer.missing)
    assert choose_runtime("process", "strict").name == "process"
    assert stepping_down("process", ProcessRuntime()) is None


@bwrap
def test_its_own_folders_have_neutral_names(make_job):
    job = make_job("""
        import json, os
        json.dump([os.environ["HARNESS_TASK"], os.environ["HARNESS_OUTPUT"], os.getcwd(), os.environ["HOME"]],
                  open("/output/told.json", "w"))
        """)
    outcome = ProcessRuntime().run(job)
    assert outcome.status is RunStatus.OK, job.log.read_text()
    assert json.loads((job.output / "told.json").read_text()) == [
        "/task",
        "/output",
        "/submission",
        "/tmp/home",
    ]


@bwrap
def test_of_the_harness_it_sees_the_sdk_alone(make_job):
    job = make_job("""
        import os, harness, harness.sdk
        print(sorted(os.listdir(os.path.dirname(harness.__file__))))
        import harness.datasets
        """)
    outcome = ProcessRuntime().run(job)
    assert outcome.status is RunStatus.FAILED
    assert job.log.read_text().splitlines()[0] == "['__init__.py', 'sdk.py']"
    assert "No module named 'harness.datasets'" in outcome.detail


@bwrap
def test_stores_inside_the_submission_folder_are_covered(make_job, monkeypatch, tmp_path):
    job = make_job("import os; print(os.listdir('data'), os.listdir('runs'))")
    for name in ("data", "runs"):
        (job.folder / name).mkdir()
        (job.folder / name / "truth").write_text("SECRET")
        monkeypatch.setenv(
            {"data": "HARNESS_DATA_DIR", "runs": "HARNESS_RUN_DIR"}[name], str(job.folder / name)
        )
    outcome = ProcessRuntime().run(job)
    assert outcome.status is RunStatus.OK, job.log.read_text()
    assert job.log.read_text() == "[] []\n"


@bwrap
def test_folders_that_only_their_owner_may_read_can_be_used(make_job):
    job = make_job("import os; print(open(os.environ['HARNESS_TASK'] + '/card').read())")
    (job.task / "card").write_text("readable")
    for path in (job.task / "card", job.folder / "main.py"):
        path.chmod(0o600)
    for path in (job.task, job.folder):
        path.chmod(0o700)
    outcome = ProcessRuntime().run(job)
    assert outcome.status is RunStatus.OK, job.log.read_text()
    assert job.log.read_text() == "readable\n"
    assert (job.task / "card").stat().st_mode & 0o777 == 0o600


@bwrap
def test_what_it_wrote_belongs_to_the_harness_afterwards(make_job):
    job = make_job("import os; os.makedirs('/output/a/b'); open('/output/a/b/c', 'w').close()")
    assert ProcessRuntime().run(job).status is RunStatus.OK
    assert {path.lstat().st_uid for path in [job.output, *job.output.rglob("*")]} == {os.getuid()}


@bwrap
def test_an_exit_code_and_a_signal_of_the_same_number_are_two_things(make_job):
    left = ProcessRuntime().run(make_job("raise SystemExit(139)"))
    assert (left.exit_code, left.signal) == (139, None)
    fell = ProcessRuntime().run(make_job("import os; os.kill(os.getpid(), 11)"))
    assert (fell.exit_code, fell.signal) == (None, 11)


@bwrap
def test_a_sandbox_that_cannot_be_made_ends_the_run_and_is_never_left_out(make_job):
    layer = best_layer()
    assert layer.bubblewrap is not None
    broken = replace(layer, bubblewrap=replace(layer.bubblewrap, version="0.0", root=False, uid=70000))
    outcome = ProcessRuntime(fixed=broken).run(make_job("open('/output/ran', 'w')"))
    assert outcome.status is RunStatus.ENVIRONMENT
    assert "the sandbox could not be made" in outcome.detail


def test_without_bubblewrap_the_next_layer_is_taken_and_said(without_bubblewrap):
    layer = best_layer()
    assert layer.name in ("unshare", "limits")
    assert "`bwrap` is not on PATH" in layer.passed_over
    line = stepping_down("process", ProcessRuntime())
    assert line is not None
    assert "\n" not in line
    assert "isolation steps down to 'process+limits' (`bwrap` is not on PATH" in line
    for name in ("auto", "best-effort"):
        assert choose_runtime("process", name).isolation == "process+limits"
    with pytest.raises(HarnessError, match="strict") as refusal:
        choose_runtime("process", "strict")
    assert "hidden_host" in str(refusal.value)
    assert "apt-get install bubblewrap" in str(refusal.value)


def test_a_layer_that_was_asked_for_and_does_not_work_is_refused(without_bubblewrap):
    with pytest.raises(HarnessError, match="layer of isolation") as refusal:
        layer_named("bubblewrap")
    assert "not on PATH" in str(refusal.value)


@pytest.mark.parametrize("name", ["unshare", "limits"])
def test_landlock_keeps_content_apart_where_there_is_no_sandbox(make_job, tmp_path, name):
    layer = try_layer(name)
    if isinstance(layer, str):
        pytest.skip(layer)
    if not layer.landlock:
        pytest.skip("this kernel has no Landlock")
    (tmp_path / "truth").write_text("SECRET")
    job = make_job(f"""
        import os, socket, numpy, harness.sdk
        def attempt(what):
            try:
                return what()
            except OSError as error:
                return type(error).__name__
        print(attempt(lambda: open({str(tmp_path / "truth")!r}).read()))
        print(attempt(lambda: os.listdir({str(tmp_path)!r})))
        print(attempt(lambda: open(os.environ["HARNESS_TASK"] + "/new", "w")))
        print(attempt(lambda: open("/proc/{os.getpid()}/environ").read()))
        print(attempt(lambda: os.kill({os.getpid()}, 0)))
        open(os.environ["HARNESS_OUTPUT"] + "/x", "w").close()
        open(os.environ["HOME"] + "/x", "w").close()
        """)
    outcome = ProcessRuntime(fixed=layer).run(job)
    assert outcome.status is RunStatus.OK, job.log.read_text()
    refused = {"PermissionError", "FileNotFoundError", "ProcessLookupError"}
    assert set(job.log.read_text().splitlines()) <= refused
    assert outcome.isolation == "process+limits"
    assert Guarantee.READ_ONLY_INPUT in outcome.granted
    assert {Guarantee.OFFLINE, Guarantee.HIDDEN_HOST} <= set(outcome.missing)


def test_without_anything_the_record_says_so(make_job):
    outcome = ProcessRuntime(fixed=limits_alone(landlock=0)).run(make_job("pass"))
    assert outcome.isolation == "process+limits"
    assert outcome.missing[Guarantee.HIDDEN_HOST] == "no sandbox: the run sees this machine"
    assert set(outcome.granted) | set(outcome.missing) == set(Guarantee)


AS_SOMEBODY = """
import json, sys
from pathlib import Path
sys.path[:0] = json.loads(sys.argv[2])
from harness.contract.manifest import Submission
from harness.runtimes.process import ProcessRuntime
from harness.runtimes.protocol import Job, Limits
root = Path(sys.argv[1])
card = {"schema": 1, "name": "small", "version": "1", "title": "small", "authors": ["a"], "license": "MIT",
        "run": {"command": ["python3", "main.py"]}}
job = Job(Submission.read(card, where="test"), root / "submission", root / "task", root / "work/output", root / "log",
          {}, 0, Limits(seconds=60, pids=30, memory_bytes=300 << 20))
outcome = ProcessRuntime().run(job)
print(json.dumps({"status": outcome.status, "isolation": outcome.isolation, "granted": outcome.granted,
                  "missing": outcome.missing, "log": (root / "log").read_text(), "detail": outcome.detail}))
"""
"""The harness as another user starts it."""


@bwrap
@pytest.mark.skipif(
    os.geteuid() != 0, reason="becoming another user takes root; the other tests run as this user"
)
def test_a_user_without_rights_gets_the_same_sandbox_and_is_told_what_it_lacks():
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    for python in (sys.executable, f"/usr/local/bin/{version}", f"/usr/bin/{version}"):
        if as_nobody(python, "-c", IMPORT, json.dumps(PATHS)).returncode == 0:
            break
    else:
        pytest.skip(f"every {version} with the harness's packages is root's alone")
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        _check_as_nobody(Path(folder, "project"), python)


PATHS = [*sys.path, str(Path(harness.__file__).parents[1])]
IMPORT = "import json, os, sys; sys.path[:0] = json.loads(sys.argv[1]); import pydantic; os.stat(sys._base_executable)"


def as_nobody(*words: str) -> subprocess.CompletedProcess[str]:
    """Run a program as a user that owns nothing."""
    become = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    return subprocess.run([*become, *words], capture_output=True, text=True, check=False, cwd="/")


def _check_as_nobody(root: Path, python: str) -> None:
    program = """
        import os
        forks = 0
        try:
            while True:
                if os.fork() == 0:
                    import time; time.sleep(60); os._exit(0)
                forks += 1
        except BlockingIOError:
            print("stopped", forks < 40)
        print(os.path.exists("/task/../sealed"), len(open("/proc/net/dev").read().splitlines()) - 2)
        """
    for name in ("submission", "task", "sealed", "work"):
        (root / name).mkdir(parents=True)
    (root / "submission/main.py").write_text(textwrap.dedent(program))
    for path in [root, *root.rglob("*")]:
        os.chown(path, 65534, 65534)
    done = as_nobody(python, "-c", AS_SOMEBODY, str(root), json.dumps(PATHS))
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["status"] == "ok", told
    assert told["isolation"] == "sandbox"
    assert set(OFFICIAL) <= set(told["granted"])
    assert told["log"].splitlines() == ["stopped True", "False 1"]
    assert Guarantee.CPU in told["missing"] or told["granted"][Guarantee.CPU].startswith("cgroup")


def test_a_layer_is_a_plain_record_of_what_was_found():
    assert isinstance(limits_alone(), Layer)


@bwrap
def test_a_sandbox_costs_little_more_than_the_bare_child(make_job):
    def cpu_seconds(what) -> float:
        what()
        before = used()
        for _ in range(3):
            what()
        return (used() - before) / 3

    def used() -> float:
        mine, theirs = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
        return mine.ru_utime + mine.ru_stime + theirs.ru_utime + theirs.ru_stime

    job = make_job("import numpy")
    bare = cpu_seconds(lambda: subprocess.run([sys.executable, "-c", "import numpy"], check=True))
    assert cpu_seconds(lambda: ProcessRuntime().run(job)) < 4 * bare + 0.15

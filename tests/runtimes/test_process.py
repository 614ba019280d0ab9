"""A submission as a child process: how each way of ending is told apart, and that nobody is left behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest

from harness.contract.status import RunStatus
from harness.errors import HarnessError
from harness.runtimes.process import ProcessRuntime
from harness.runtimes.protocol import Progress
from harness.runtimes.sandbox.layers import limits_alone

RUNTIME = ProcessRuntime(fixed=limits_alone(landlock=0))
"""Without a sandbox, so that the tests can see and say where the processes are; what a sandbox adds has tests of its own."""


def test_a_program_that_exits_0_is_ok_and_its_words_are_kept(make_job):
    job = make_job("import sys; print('to out'); print('to err', file=sys.stderr)")
    outcome = RUNTIME.run(job)
    assert (outcome.status, outcome.exit_code, outcome.signal) == (RunStatus.OK, 0, None)
    assert job.log.read_text().splitlines() == ["to out", "to err"]
    assert outcome.peak_rss_bytes > 1 << 20
    assert outcome.isolation == "process+limits"


def test_an_exit_code_is_a_failure_with_the_last_words(make_job):
    outcome = RUNTIME.run(make_job("print('first'); print('the reason'); raise SystemExit(3)"))
    assert (outcome.status, outcome.exit_code) == (RunStatus.FAILED, 3)
    assert "exit code 3" in outcome.detail
    assert "the reason" in outcome.detail


def test_a_full_disk_is_the_environments_fault(make_job):
    outcome = RUNTIME.run(make_job("with open('/dev/full', 'w') as full: full.write('x')"))
    assert (outcome.status, outcome.exit_code) == (RunStatus.ENVIRONMENT, 1)
    assert "No space left on device" in outcome.detail


def test_an_exception_is_a_failure_that_names_it(make_job):
    outcome = RUNTIME.run(make_job("raise ValueError('no such gene')"))
    assert outcome.status == RunStatus.FAILED
    assert "ValueError: no such gene" in outcome.detail


def test_a_signal_is_a_failure_that_names_it(make_job):
    outcome = RUNTIME.run(make_job("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)"))
    assert (outcome.status, outcome.exit_code, outcome.signal) == (RunStatus.FAILED, None, signal.SIGSEGV)
    assert "SIGSEGV" in outcome.detail


def test_a_kill_that_nothing_shows_to_be_for_memory_is_a_plain_failure(make_job):
    outcome = RUNTIME.run(make_job("import os, signal; os.kill(os.getpid(), signal.SIGKILL)"))
    assert (outcome.status, outcome.signal) == (RunStatus.FAILED, signal.SIGKILL)


def test_a_program_that_cannot_be_started_is_the_environments_fault(make_job):
    job = make_job("")
    run = job.manifest.run.model_copy(update={"command": ["no-such-program-anywhere"]})
    job.__dict__["manifest"] = job.manifest.model_copy(update={"run": run})
    outcome = RUNTIME.run(job)
    assert outcome.status == RunStatus.ENVIRONMENT
    assert "no-such-program-anywhere" in outcome.detail


FAMILY = """
import os, subprocess, sys, time
alone = "import os, time; open({pids!r} + '/' + str(os.getpid()), 'w').close(); time.sleep(60)"
subprocess.Popen([sys.executable, "-c", alone])
subprocess.Popen([sys.executable, "-c", alone], start_new_session=True, env={{}})
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        os.execv(sys.executable, [sys.executable, "-c", alone])
    os._exit(0)
open({pids!r} + "/" + str(os.getpid()), "w").close()
while len(os.listdir({pids!r})) < 4:
    time.sleep(0.01)
{then}
"""


def _alive(folder: Path) -> list[int]:
    found = []
    for entry in folder.iterdir():
        try:
            if psutil.Process(int(entry.name)).status() != psutil.STATUS_ZOMBIE:
                found.append(int(entry.name))
        except psutil.NoSuchProcess:
            continue
    return found


@pytest.mark.parametrize(
    ("then", "expected"),
    [("time.sleep(60)", RunStatus.TIMEOUT), ("sys.exit(0)", RunStatus.OK), ("os.abort()", RunStatus.FAILED)],
)
def test_grandchildren_in_other_sessions_end_with_the_run(make_job, tmp_path, then, expected):
    pids = tmp_path / "pids"
    pids.mkdir()
    seconds = 2.0 if expected == RunStatus.TIMEOUT else 30
    outcome = RUNTIME.run(make_job(FAMILY.format(pids=str(pids), then=then), seconds=seconds))
    assert outcome.status == expected
    assert len(list(pids.iterdir())) == 4
    assert _alive(pids) == []


def test_a_run_that_will_not_stop_is_killed_after_the_grace(make_job):
    code = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(60)"
    started = time.monotonic()
    outcome = RUNTIME.run(make_job(code, seconds=0.7))
    assert outcome.status == RunStatus.TIMEOUT
    assert "0.7 s" in outcome.detail
    assert time.monotonic() - started < 8


def test_a_run_may_use_the_grace_to_save_what_it_has(make_job):
    job = make_job(
        """
        import os, signal, sys, time
        def save(*_):
            open(os.environ["HARNESS_OUTPUT"] + "/saved", "w").close()
            sys.exit(0)
        signal.signal(signal.SIGTERM, save)
        time.sleep(60)
        """,
        seconds=1.0,
        grace_seconds=5,
    )
    assert RUNTIME.run(job).status == RunStatus.TIMEOUT
    assert (job.output / "saved").exists()


def test_memory_of_the_whole_family_counts(make_job):
    code = """
    import subprocess, sys, time
    hog = "import time; held = bytearray(150 << 20); held[::4096] = b'x' * len(held[::4096]); time.sleep(60)"
    children = [subprocess.Popen([sys.executable, "-c", hog]) for _ in range(2)]
    time.sleep(60)
    """
    outcome = RUNTIME.run(make_job(code, memory_bytes=250 << 20))
    assert outcome.status == RunStatus.OUT_OF_MEMORY
    assert "250 MiB" in outcome.detail
    assert outcome.peak_rss_bytes > 100 << 20


def test_a_memory_error_is_out_of_memory(make_job):
    outcome = RUNTIME.run(make_job("held = bytearray(1 << 60)"))
    assert (outcome.status, outcome.exit_code) == (RunStatus.OUT_OF_MEMORY, 1)


def test_the_log_keeps_head_and_tail_and_counts_what_it_drops(make_job):
    job = make_job("print('head'); print('x' * 300_000); print('tail')", log_bytes=10_000)
    assert RUNTIME.run(job).status == RunStatus.OK
    text = job.log.read_text()
    assert text.startswith("head\n")
    assert text.endswith("tail\n")
    assert len(text) < 10_100
    assert f"{300_001 + 10 - 10_000} bytes dropped" in text


def test_one_file_over_the_output_limit_cannot_be_written(make_job):
    job = make_job(
        "import os; open(os.environ['HARNESS_OUTPUT'] + '/big', 'wb').write(b'x' * (3 << 20))",
        output_bytes=1 << 20,
    )
    assert RUNTIME.run(job).status == RunStatus.FAILED
    assert (job.output / "big").stat().st_size <= 1 << 20


def test_many_files_over_the_output_limit_end_the_run(make_job):
    code = """
    import os, time
    for i in range(5):
        open(os.environ["HARNESS_OUTPUT"] + f"/part{i}", "wb").write(b"x" * 900_000)
    time.sleep(60)
    """
    outcome = RUNTIME.run(make_job(code, output_bytes=1 << 20))
    assert outcome.status == RunStatus.FAILED
    assert "output folder" in outcome.detail


def test_the_environment_is_clean_and_tells_the_contract(make_job, monkeypatch):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("PYTHONPATH", "/somewhere")
    job = make_job(
        """
        import json, os
        told = dict(os.environ, cwd=os.getcwd(), home_exists=os.path.isdir(os.environ["HOME"]))
        json.dump(told, open(os.environ["HARNESS_OUTPUT"] + "/told.json", "w"))
        """,
        params={"epochs": 3, "name": "ä"},
        cpus=1,
    )
    RUNTIME.run(job)
    told = json.loads((job.output / "told.json").read_text())
    assert "AWS_SECRET_ACCESS_KEY" not in told
    assert "PYTHONPATH" not in told
    assert told["HARNESS_TASK"] == str(job.task)
    assert told["HARNESS_OUTPUT"] == str(job.output)
    assert told["HARNESS_SEED"] == "7"
    assert json.loads(told["HARNESS_PARAMS"]) == {"epochs": 3, "name": "ä"}
    assert told["OMP_NUM_THREADS"] == "1"
    assert told["OMP_WAIT_POLICY"] == "passive"
    assert told["CUDA_VISIBLE_DEVICES"] == ""
    assert told["cwd"] == str(job.folder)
    assert told["HOME"] != os.environ["HOME"]
    assert told["home_exists"]


def test_the_private_home_is_gone_afterwards(make_job):
    job = make_job("import os; open(os.environ['HOME'] + '/left', 'w').close()")
    RUNTIME.run(job)
    assert [entry.name for entry in job.output.parent.iterdir()] == ["output"]


def test_progress_reaches_the_caller_while_the_run_goes_on(make_job):
    seen: list[Progress] = []
    job = make_job(
        """
        import json, os, time
        with open(os.environ["HARNESS_OUTPUT"] + "/progress.jsonl", "w") as out:
            for step in range(1, 4):
                out.write(json.dumps({"step": step, "of": 3, "message": "epoch", "metrics": {"loss": 1 / step}}) + "\\n")
                out.flush()
                time.sleep(0.2)
        """
    )
    RUNTIME.run(job, seen.append)
    assert [progress.step for progress in seen] == [1, 2, 3]
    assert seen[1].metrics == {"loss": 0.5}


def test_ctrl_c_stops_the_children_and_says_interrupted(make_job, tmp_path):
    pids = tmp_path / "pids"
    pids.mkdir()
    job = make_job(FAMILY.format(pids=str(pids), then="time.sleep(60)"))

    def press_when_all_run() -> None:
        while len(list(pids.iterdir())) < 4:
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=press_when_all_run, daemon=True).start()
    outcome = RUNTIME.run(job)
    assert outcome.status == RunStatus.INTERRUPTED
    assert _alive(pids) == []


def test_children_die_with_a_harness_that_is_killed(make_job, tmp_path):
    pids = tmp_path / "pids"
    pids.mkdir()
    job = make_job(FAMILY.format(pids=str(pids), then="time.sleep(60)"))
    outer = f"""
import sys
from pathlib import Path
from harness.contract.manifest import Submission
from harness.runtimes.process import ProcessRuntime
from harness.runtimes.protocol import Job, Limits
from harness.runtimes.sandbox.layers import limits_alone
RUNTIME = ProcessRuntime(fixed=limits_alone(landlock=0))
manifest = Submission.model_validate_json({job.manifest.model_dump_json(by_alias=True)!r})
RUNTIME.run(Job(manifest, Path({str(job.folder)!r}), Path({str(job.task)!r}), Path({str(job.output)!r}),
                Path({str(job.log)!r}), {{}}, 0, Limits()))
"""
    harness = subprocess.Popen([sys.executable, "-c", outer])
    until = time.monotonic() + 20
    while len(list(pids.iterdir())) < 4 and time.monotonic() < until:
        time.sleep(0.02)
    assert len(_alive(pids)) == 4
    harness.kill()
    harness.wait()
    until = time.monotonic() + 10
    while _alive(pids) and time.monotonic() < until:
        time.sleep(0.02)
    assert _alive(pids) == []


def test_a_container_submission_is_refused_before_it_starts(make_job):
    job = make_job("")
    run = job.manifest.run.model_copy(update={"command": None, "image": "x@sha256:0"})
    job.__dict__["manifest"] = job.manifest.model_copy(update={"run": run})
    with pytest.raises(HarnessError, match="container image"):
        RUNTIME.run(job)

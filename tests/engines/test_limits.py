"""No run uses up more than it may, and none outlives its end."""

from __future__ import annotations

import os

import pytest

from harness.contract.status import RunStatus
from harness.schedulers.execution import make_plain

HOG = "held = bytearray(400 << 20); held[::4096] = b'x' * len(held[::4096]); time.sleep(30)"


def test_memory_over_the_limit_ends_the_run(run):
    outcome = run(HOG, memory_bytes=128 << 20).outcome
    assert outcome.status is RunStatus.OUT_OF_MEMORY
    assert "128 MiB" in outcome.detail


def test_memory_of_the_whole_family_counts(run):
    outcome = run(
        """
        import subprocess
        hog = "import time; held = bytearray(100 << 20); held[::4096] = b'x' * len(held[::4096]); time.sleep(30)"
        children = [subprocess.Popen([sys.executable, "-c", hog]) for _ in range(4)]
        time.sleep(30)
        """,
        memory_bytes=256 << 20,
    ).outcome
    assert outcome.status is RunStatus.OUT_OF_MEMORY


def test_a_fork_bomb_is_stopped(run):
    ran = run(
        """
        def bomb():
            while True:
                try:
                    if os.fork() == 0:
                        time.sleep(0.01)
                except BlockingIOError:
                    open(OUTPUT + "/refused", "w").close()
                    time.sleep(0.05)
        bomb()
        """,
        pids=40,
        seconds=2.5,
    )
    assert ran.outcome.status is RunStatus.TIMEOUT
    assert (ran.job.output / "refused").exists()


def test_threads_count_as_processes(run):
    told = run(
        """
        import threading
        started = 0
        try:
            for _ in range(500):
                threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
                started += 1
        except RuntimeError:
            pass
        tell(started)
        os._exit(0)
        """,
        pids=40,
    ).told
    assert 10 < told < 60


def test_one_file_over_the_limit_cannot_be_written(run):
    ran = run(
        """
        with open(OUTPUT + "/big", "wb") as out:
            for _ in range(64):
                out.write(b"x" * (1 << 20))
        """,
        output_bytes=8 << 20,
    )
    assert ran.outcome.status is RunStatus.FAILED
    assert (ran.job.output / "big").stat().st_size <= 12 << 20


def test_a_tree_too_deep_for_any_path_ends_the_run(run):
    """No walk by recursion, and none by path, gets to its end."""
    ran = run("""
        os.chdir(OUTPUT)
        for _ in range(2500):
            os.mkdir("a")
            os.chdir("a")
        open("hidden", "wb").write(b"x" * (1 << 20))
        """)
    assert ran.outcome.status is RunStatus.FAILED
    assert "nested deeper than 32 levels" in ran.outcome.detail
    make_plain(ran.job.output)
    assert sum(len(folders) for _, folders, _ in os.walk(ran.job.output)) <= 32


def test_a_flood_of_empty_files_ends_the_run(run, monkeypatch):
    monkeypatch.setattr("harness.runtimes.written.MOST_ENTRIES", 500)
    ran = run("""
        for i in range(10_000_000):
            open(OUTPUT + f"/{i}", "w").close()
        """)
    assert ran.outcome.status is RunStatus.FAILED
    assert "files and folders" in ran.outcome.detail


def test_more_processors_than_the_machine_has_are_no_fault(run):
    assert run("pass", cpus=1000).outcome.status is RunStatus.OK


def test_many_files_over_the_limit_end_the_run(run):
    ran = run(
        """
        for i in range(1000):
            open(OUTPUT + f"/part{i}", "wb").write(b"x" * (1 << 20))
            time.sleep(0.05)
        """,
        output_bytes=8 << 20,
    )
    assert ran.outcome.status is RunStatus.FAILED
    assert "output folder" in ran.outcome.detail
    assert len(list(ran.job.output.iterdir())) < 900


@pytest.mark.parametrize("place", ["/tmp", "/dev/shm"])
def test_temporary_places_have_an_end(confined, place):
    ran = confined(
        f"""
        tell("started")
        with open({place!r} + "/big", "wb") as out:
            for _ in range(256):
                out.write(b"x" * (1 << 20))
        tell("wrote it all")
        """,
        output_bytes=1 << 30,
    )
    assert ran.told == "started"
    assert ran.outcome.status in (RunStatus.ENVIRONMENT, RunStatus.FAILED, RunStatus.OUT_OF_MEMORY)


def test_a_flood_of_words_keeps_head_and_tail(run):
    ran = run(
        """
        print("head", flush=True)
        for _ in range(100):
            print("x" * 100_000, flush=True)
        print("tail")
        """,
        log_bytes=10_000,
    )
    assert ran.outcome.status is RunStatus.OK
    assert ran.log.startswith("head")
    assert ran.log.rstrip().endswith("tail")
    assert "bytes dropped" in ran.log
    assert len(ran.log) < 11_000


GRANDCHILDREN = """
import subprocess
alone = "import time; time.sleep(300)"
subprocess.Popen([sys.executable, "-c", alone, TOKEN])
subprocess.Popen([sys.executable, "-c", alone, TOKEN], start_new_session=True, env={{}})
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        os.execv(sys.executable, [sys.executable, "-c", alone, TOKEN])
    os._exit(0)
tell("all started")
{then}
"""


@pytest.mark.parametrize(
    ("then", "status"),
    [("time.sleep(300)", RunStatus.TIMEOUT), ("sys.exit(0)", RunStatus.OK), ("os.abort()", RunStatus.FAILED)],
    ids=["time-out", "end", "crash"],
)
def test_grandchildren_in_other_sessions_end_with_the_run(run, then, status):
    seconds = {"seconds": 3.0} if status is RunStatus.TIMEOUT else {}
    ran = run(GRANDCHILDREN.format(then=then), **seconds)
    assert ran.outcome.status is status
    assert ran.told == "all started"


def test_a_run_that_will_not_stop_is_killed_after_the_grace(run):
    outcome = run(
        "import signal; [signal.signal(n, signal.SIG_IGN) for n in (signal.SIGTERM, signal.SIGINT)]; time.sleep(300)",
        seconds=1.5,
    ).outcome
    assert outcome.status is RunStatus.TIMEOUT
    assert outcome.wall_s < 60


def test_a_run_may_use_the_grace_to_save_what_it_has(run):
    ran = run(
        """
        import signal
        def save(*_):
            tell("saved")
            sys.exit(0)
        signal.signal(signal.SIGTERM, save)
        time.sleep(300)
        """,
        seconds=2.0,
        grace_seconds=20.0,
    )
    assert ran.outcome.status is RunStatus.TIMEOUT
    assert ran.told == "saved"


def test_two_busy_processes_get_the_time_of_one_processor(run):
    ran = run("""
        if os.fork() == 0:
            while True: pass
        started = time.monotonic()
        while time.monotonic() - started < 1.5: pass
        used = sum(float(x) for x in open("/proc/self/stat").read().split()[13:15]) / os.sysconf("SC_CLK_TCK")
        tell(used / 1.5)
        os._exit(0)
        """)
    assert ran.told < 0.8  # two of them share what one may use

"""A program that looks for the answers by every path finds nothing: not the data, not other runs, not other processes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from harness.contract.status import RunStatus
from harness.settings import load_settings

SEARCH = """
import pwd, stat
PLACES, SENTINEL, HARNESS = json.loads({places!r}), {sentinel}, {harness}

def read(path):
    if os.path.isdir(path):
        return os.listdir(path)
    with open(path, "rb") as handle:
        return handle.read(200)

def everywhere():
    found = []
    for root, folders, files in os.walk("/"):
        folders[:] = [f for f in folders if os.path.join(root, f) not in ("/proc", "/sys", "/usr", "/dev")]
        found += [os.path.join(root, f) for f in files if f in ("truth.npy", "labels.npy", "other.npz", "key.pem")]
    return found

def secrets_of(pid):
    return [open(f"/proc/{{pid}}/{{file}}", "rb").read() for file in ("environ", "cmdline")]

tell({{
    "by name": {{place: attempt(lambda: read(place)) for place in PLACES}},
    "beside the task": attempt(lambda: read(TASK + "/../sealed/labels.npy")),
    "above the task": attempt(lambda: read(os.path.realpath(TASK + "/..") + "/sealed")),
    "beside the output": attempt(lambda: read(OUTPUT + "/../../other/other.npz")),
    "through a link": attempt(lambda: read("way_out/truth.npy")),
    "through a link it makes": attempt(lambda: (os.symlink(PLACES[0], OUTPUT + "/link"), read(OUTPUT + "/link"))),
    "root of itself": attempt(lambda: read("/proc/self/root" + PLACES[0])),
    "root of the first process": attempt(lambda: read("/proc/1/root" + PLACES[0])),
    "working folder of its parent": attempt(lambda: read(f"/proc/{{os.getppid()}}/cwd/" + PLACES[0])),
    "every file": everywhere(),
    "homes": [attempt(lambda: os.listdir(one.pw_dir)) for one in pwd.getpwall() if one.pw_uid in (0, {uid})],
    "keys": [attempt(lambda: read(home + "/.ssh")) for home in ({home!r}, "/root", os.path.expanduser("~"))],
    "another's secrets": attempt(lambda: secrets_of(SENTINEL)),
    "the harness's secrets": attempt(lambda: secrets_of(HARNESS)),
    "its parent's secrets": attempt(lambda: open(f"/proc/{{os.getppid()}}/environ").read()),
    "processes": [attempt(lambda: secrets_of(p))[1] for p in os.listdir("/proc") if p.isdigit()],
    "shadow": attempt(lambda: read("/etc/shadow")),
    "shared memory": attempt(lambda: read("/dev/shm/{token}")),
    "engine sockets": [p for p in ("/var/run/docker.sock", "/run/docker.sock", "/run/podman", "/run/munge")
                       if os.path.exists(p)],
    "seen": os.listdir(TASK),
}})
"""


@pytest.fixture
def sentinel():
    """Another process of the same user, with a secret in its environment and on its command line."""
    words = [sys.executable, "-c", "import time; time.sleep(120)", "SECRET"]
    one = subprocess.Popen(words, env={"KEY": "SECRET"})
    time.sleep(0.1)
    yield one.pid
    one.kill()
    one.wait()


@pytest.fixture
def shared_memory(world):
    """A file in the machine's shared memory."""
    path = Path("/dev/shm", f"harness-{world.name}-{os.getpid()}")
    path.write_text("SECRET")
    yield path
    path.unlink()


def test_a_search_for_the_answers_finds_nothing(confined, world, sentinel, shared_memory, monkeypatch):
    monkeypatch.setenv("HARNESS_TEST_TOKEN", "SECRET")
    (world / "runs/other/other.npz").write_text("SECRET")
    (world / "submission").mkdir()
    (world / "submission/way_out").symlink_to(world / "data/demo")
    places = [
        "data/demo/truth.npy",
        "data/.tasks/t/sealed/labels.npy",
        "data/.tasks/t/sealed",
        "data",
        "runs/other/other.npz",
        "runs",
    ]
    ran = confined(
        SEARCH.format(
            places=json.dumps([str(world / place) for place in places]),
            sentinel=sentinel,
            harness=os.getpid(),
            uid=os.getuid(),
            home=str(Path.home()),
            token=shared_memory.name,
        )
    )
    assert ran.outcome.status is RunStatus.OK, ran.log
    told = ran.told
    assert "SECRET" not in json.dumps(told)
    assert {place for place, (end, _) in told["by name"].items() if end == "done"} == set()
    for path in (
        "beside the task",
        "above the task",
        "beside the output",
        "through a link",
        "through a link it makes",
        "root of itself",
        "root of the first process",
        "working folder of its parent",
        "shared memory",
    ):
        assert told[path][0] == "refused", (path, told[path])
    assert told["every file"] == []
    assert told["engine sockets"] == []
    assert sorted(told["seen"]) == ["private.txt", "task.json"]


def test_only_its_own_processes_exist(confined, sentinel):
    ran = confined("""
        tell([p for p in os.listdir("/proc") if p.isdigit()])
        """)
    assert len(ran.told) < 10


def test_a_link_in_the_output_is_not_followed_by_the_harness(confined, world):
    from harness.schedulers.execution import make_plain
    from harness.scoring.evaluate import predictions_in

    ran = confined(f"""
        os.symlink({str(world / "data/demo/truth.npy")!r}, OUTPUT + "/predictions.npz")
        os.symlink("/etc", OUTPUT + "/model")
        os.mkfifo(OUTPUT + "/progress.jsonl")
        """)
    assert ran.outcome.status is RunStatus.OK, ran.log
    make_plain(ran.job.output)
    assert predictions_in(ran.job.output) is None
    assert list(ran.job.output.iterdir()) == []


def test_stores_in_the_folder_of_the_submission_stay_hidden(confined, world, monkeypatch):
    """A project whose root is the submission folder: what lies below it is still not the submission's to read."""
    root = world / "submission"
    for place in ("data/demo", "runs/other"):
        (root / place).mkdir(parents=True)
        (root / place / "truth.npy").write_text("SECRET")
    (root / "data/.images").symlink_to(
        load_settings().data.absolute() / ".images"
    )  # images take long to make
    (root / "harness.toml").write_text("")
    (root / "own.txt").write_text("its own")
    monkeypatch.chdir(root)
    ran = confined("""
        def files():
            return [os.path.join(folder, name) for folder, _, names in os.walk(".") for name in names]
        tell({"files": files(), "own": open("own.txt").read()})
        """)
    assert ran.outcome.status is RunStatus.OK, ran.outcome.detail + ran.log
    assert "./own.txt" in ran.told["files"]
    assert [name for name in ran.told["files"] if "truth" in name] == []


def test_folders_that_others_may_not_read_are_readable_for_the_run(confined, world):
    """The umask of a careful user: the run may be somebody else than who started it."""
    (world / "submission").mkdir()
    (world / "submission/own.txt").write_text("its own")
    task = world / "data/.tasks/t/public"
    for path in (world / "submission", world / "submission/own.txt", task, task / "private.txt"):
        path.chmod(0o700)
    ran = confined("""
        tell([open("own.txt").read(), open(TASK + "/private.txt").read()])
        """)
    assert ran.outcome.status is RunStatus.OK, ran.outcome.detail + ran.log
    assert ran.told == ["its own", "for the submission alone"]

"""Control groups of version 2, as a tree of plain files with the kernel's names; and groups that nobody removed."""

import os
from pathlib import Path

import pytest

from harness.runtimes.protocol import Guarantee, Limits
from harness.runtimes.sandbox import cgroup
from harness.runtimes.sandbox.cgroup import PREFIX, make_cgroup

FILES = {
    "memory": ("memory.max", "memory.swap.max", "memory.oom.group"),
    "cpu": ("cpu.max",),
    "pids": ("pids.max",),
}
LIMITS = Limits(cpus=2, memory_bytes=1 << 30, pids=40)
NO_PROCESS = 4_194_305
"""Above the kernel's largest number."""


@pytest.fixture
def tree(tmp_path, monkeypatch):
    """A mount of version 2 with this process in `/user/job`; a new group gets the files of what its parent hands on."""
    for place in (tmp_path, tmp_path / "user", tmp_path / "user/job"):
        place.mkdir(exist_ok=True)
        (place / "cgroup.procs").write_text("")
        (place / "cgroup.subtree_control").write_text("")
    (tmp_path / "cgroup.controllers").write_text("cpu memory pids")
    (tmp_path / "own").write_text("0::/user/job\n")
    handed_on = {"job": set(FILES), "user": set(FILES)}

    def make_below(parent: Path, name: str) -> Path:
        if not handed_on[parent.name]:
            raise PermissionError(13, "Permission denied")
        folder = parent / name
        folder.mkdir()
        for controller in handed_on[parent.name]:
            for file in FILES[controller]:
                (folder / file).write_text("max")
        return folder

    monkeypatch.setattr(cgroup, "_make_below", make_below)
    return tmp_path, handed_on


def made(tree):
    return make_cgroup(LIMITS, root=tree[0], own=tree[0] / "own")


def test_version_2_holds_memory_processors_and_processes_in_one_group_below_the_harness(tree):
    found = made(tree)
    assert found.version == 2
    assert set(found.granted) == {Guarantee.MEMORY, Guarantee.CPU, Guarantee.PIDS}
    (folder,) = found.folders
    assert folder.parent == tree[0] / "user/job"
    told = {
        file: (folder / file).read_text() for file in ("memory.max", "memory.swap.max", "cpu.max", "pids.max")
    }
    assert told == {
        "memory.max": str(1 << 30),
        "memory.swap.max": "0",
        "cpu.max": "200000 100000",
        "pids.max": str(40 + cgroup.SPARE_PIDS),
    }


def test_a_controller_that_is_not_handed_on_is_missing_with_the_reason(tree):
    tree[1]["job"] = {"memory"}
    found = made(tree)
    assert set(found.granted) == {Guarantee.MEMORY}
    assert "pids.max" in found.missing[Guarantee.PIDS]


def test_a_group_that_may_have_none_below_is_passed_by(tree):
    tree[1]["job"] = set()
    assert made(tree).folders[0].parent == tree[0] / "user"


def test_where_no_group_can_be_made_everything_is_missing(tree):
    tree[1].update(job=set(), user=set())
    found = made(tree)
    assert found.granted == {}
    assert found.folders == ()
    assert "Permission denied" in found.missing[Guarantee.MEMORY]


def test_what_the_kernel_ended_is_read_from_the_groups_own_count(tree):
    found = made(tree)
    (found.folders[0] / "memory.events").write_text("low 0\noom 3\noom_kill 2\noom_group_kill 1\n")
    assert found.oom_kills() == 2


def test_empty_groups_of_dead_processes_are_removed_and_others_stay(tmp_path, monkeypatch):
    dead, living, young = (
        tmp_path / f"{PREFIX}{pid}-{n}" for n, pid in enumerate((NO_PROCESS, os.getpid(), NO_PROCESS))
    )
    for group in (dead, living):
        group.mkdir()
    monkeypatch.setattr(cgroup, "SETTLED_SECONDS", -1)
    cgroup._sweep(tmp_path)
    monkeypatch.undo()
    young.mkdir()
    cgroup._sweep(tmp_path)
    assert sorted(tmp_path.iterdir()) == sorted([living, young])

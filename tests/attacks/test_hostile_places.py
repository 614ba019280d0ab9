"""What can stand where a predictions file or folder should be: links, pipes, strange folders, half a file."""

from __future__ import annotations

import io
import os
import random
import socket
from pathlib import Path
from typing import Any

import numpy as np
import pytest

Arrays = dict[str, np.ndarray[Any, Any]]
MEMBERS = ("mean", "var", "idx")


def strange_places(folder: Path, good: Arrays) -> dict[str, tuple[Path, str, str]]:
    """What stands where a file should be → its path, the field and the words of the fault."""
    target = folder / "target.npz"
    np.savez(target, **{name: good[name] for name in MEMBERS})
    (folder / "link.npz").symlink_to(target)
    (folder / "dangling.npz").symlink_to(folder / "nowhere")
    os.mkfifo(folder / "pipe.npz")
    with socket.socket(socket.AF_UNIX) as listener:
        here = Path.cwd()
        os.chdir(folder)
        try:
            listener.bind("s.npz")
        finally:
            os.chdir(here)
    with (folder / "sparse.npz").open("wb") as handle:
        handle.truncate(1 << 40)
    folders = {}
    for name in ("empty", "linked", "piped", "nested", "wrapped", "crowded", "longer", "shorter"):
        folders[name] = folder / name
        folders[name].mkdir()
    for name in ("linked", "piped", "nested", "longer", "shorter"):
        for member in MEMBERS:
            np.save(folders[name] / f"{member}.npy", good[member])
    for name in ("linked", "piped", "nested"):
        (folders[name] / "mean.npy").unlink()
    (folders["linked"] / "mean.npy").symlink_to(folders["longer"] / "mean.npy")
    os.mkfifo(folders["piped"] / "mean.npy")
    (folders["nested"] / "mean.npy").mkdir()
    np.savez(folders["wrapped"] / "predictions.npz", **good)
    for number in range(1000):
        (folders["crowded"] / f"{number}.npy").touch()
    with (folders["longer"] / "mean.npy").open("ab") as handle:
        handle.write(b"more")
    with (folders["shorter"] / "mean.npy").open("r+b") as handle:
        handle.truncate(400)
    return {
        "a link": (folder / "link.npz", "file", "is not a plain file; got a symbolic link"),
        "a link to nowhere": (folder / "dangling.npz", "file", "is not a plain file; got a symbolic link"),
        "a pipe": (folder / "pipe.npz", "file", "is not a plain file; got a pipe"),
        "a socket": (folder / "s.npz", "file", "is not a plain file; got a socket"),
        "a device": (Path("/dev/zero"), "file", "is not a plain file; got a device"),
        "nothing": (folder / "nothing.npz", "file", "cannot be opened; got No such file"),
        "a file in a file": (target / "x.npz", "file", "cannot be opened; got Not a directory"),
        "a TiB of holes": (folder / "sparse.npz", "file", "is not a zip archive"),
        "an empty folder": (folders["empty"], "idx", "is missing"),
        "a folder with a link": (folders["linked"], "mean", "got a symbolic link"),
        "a folder with a pipe": (folders["piped"], "mean", "got a pipe"),
        "a folder with a folder": (folders["nested"], "mean", "got a folder"),
        "a folder around a file": (folders["wrapped"], "predictions.npz", "is not a member of predictions"),
        "a folder of 1000 files": (folders["crowded"], "file", "holds too many members; got more than 16"),
        "a file with more at its end": (folders["longer"], "mean", "not as long as its header says; got 420"),
        "a file with less at its end": (
            folders["shorter"],
            "mean",
            "not as long as its header says; got 400",
        ),
    }


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory, good: Arrays) -> Any:
    return strange_places(tmp_path_factory.mktemp("places"), good)


@pytest.fixture(scope="module")
def verdicts(judge: Any, places: Any) -> Any:
    return judge({name: path for name, (path, _, _) in places.items()})


def test_what_is_not_a_file_of_its_own_is_refused_without_waiting(verdicts: Any, places: Any) -> None:
    for name, (_, member, words) in places.items():
        assert verdicts[name].said(member, words), (name, verdicts[name].faults)


def test_what_is_not_a_file_costs_neither_time_nor_memory(verdicts: Any) -> None:
    for name, verdict in verdicts.items():
        assert verdict.seconds < 1, name
        assert verdict.grown_mib < 200, name


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may read everything")
@pytest.mark.parametrize("kind", ["file", "folder"])
def test_what_may_not_be_read_is_refused(tmp_path: Path, judge: Any, kind: str) -> None:
    closed = tmp_path / "closed"
    closed.mkdir() if kind == "folder" else closed.touch()
    closed.chmod(0)
    try:
        assert judge({"closed": closed})["closed"].said("file", "cannot be opened; got Permission denied")
    finally:
        closed.chmod(0o700)


@pytest.mark.parametrize("packed", [False, True])
def test_a_file_cut_short_anywhere_is_refused(tmp_path: Path, judge: Any, good: Arrays, packed: bool) -> None:
    content = io.BytesIO()
    (np.savez_compressed if packed else np.savez)(content, **good)
    raw = content.getvalue()
    ends = random.Random(5).sample(range(len(raw)), 20)
    files = {str(end): tmp_path / f"{end}.npz" for end in ends}
    for end in ends:
        files[str(end)].write_bytes(raw[:end])
    for end, verdict in judge(files).items():
        assert verdict.faults, end
        assert verdict.faults[0][0] == "file"
        assert verdict.seconds < 1

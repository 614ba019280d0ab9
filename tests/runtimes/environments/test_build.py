"""Environments from lock files: the right packages, built once, never half, and the installer's words where it fails."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from harness.errors import HarnessError
from harness.runtimes.environments import build, installers
from harness.runtimes.environments.build import MARKER, environment
from harness.runtimes.environments.lock import read_lock

ALL = {one.name: one for one in installers.installers()}


@pytest.fixture
def wheels(tmp_path: Path, write_wheel: Callable[..., Path]) -> Path:
    folder = tmp_path / "wheels"
    write_wheel(folder, "first_part")
    write_wheel(folder, "second_part", "2.1", needs=["first-part"])
    return folder


@pytest.fixture
def lock(tmp_path: Path):
    def write(*lines: str) -> Path:
        folder = tmp_path / "submission"
        folder.mkdir(exist_ok=True)
        (folder / "requirements.lock").write_text("".join(f"{line}\n" for line in lines))
        return folder / "requirements.lock"

    return write


def says(python: Path, code: str) -> str:
    """What a line of Python prints in an environment."""
    return subprocess.run(
        [python, "-I", "-c", code], capture_output=True, text=True, check=True
    ).stdout.strip()


@pytest.mark.parametrize("name", ["uv", "pip"])
def test_each_installer_installs_what_the_lock_says_and_nothing_else(
    monkeypatch, tmp_path, lock, wheels, name
):
    if name not in ALL:
        pytest.skip(f"{name} is not installed")
    monkeypatch.setattr(build, "installers", lambda: [ALL[name]])
    said: list[str] = []
    path = lock("first-part==1.0", "second_part==2.1")
    made = environment(read_lock(path), tmp_path / "cache", wheels=wheels, say=said.append)
    assert made.built
    assert made.installer == name
    assert made.packages == ("first_part==1.0", "second_part==2.1")
    assert says(made.python, "import second_part; print(second_part.VERSION)") == "2.1"
    assert says(made.python, "import importlib.util as u; print(u.find_spec('numpy'))") == "None"
    assert says(made.python, "import importlib.util as u; print(u.find_spec('harness'))") == "None"
    assert said == [f"building the environment of requirements.lock with {name}: 2 packages"]
    again = environment(read_lock(path), tmp_path / "cache", wheels=wheels, say=said.append)
    assert (again.folder, again.packages, again.built) == (made.folder, made.packages, False)
    assert len(said) == 1


def test_a_change_of_the_sdk_leaves_environments_as_they_are(monkeypatch, tmp_path, lock):
    made = environment(read_lock(lock()), tmp_path / "cache")
    build.put_sdk(made.folder)
    before = build.sdk_folder(made.folder)
    monkeypatch.setattr(build, "SDK", tmp_path / "sdk.py")
    build.SDK.write_text("NEW = True\n")
    assert not environment(read_lock(lock()), tmp_path / "cache").built
    build.put_sdk(made.folder)
    build.put_sdk(made.folder)
    after = build.sdk_folder(made.folder)
    assert after != before
    assert (after / "harness" / "sdk.py").read_text() == "NEW = True\n"
    assert before.is_dir()


def test_an_environment_that_brings_a_harness_of_its_own_keeps_it(tmp_path, lock):
    made = environment(read_lock(lock()), tmp_path / "cache")
    (site,) = build.sites(made.folder)
    (site / "harness").mkdir()
    assert build.sdk_folder(made.folder) is None


def test_wheels_of_the_submission_itself_are_found_by_a_line_of_the_lock(tmp_path, lock, write_wheel):
    path = lock("--no-index", "--find-links wheels", "own_part==3.0")
    write_wheel(path.parent / "wheels", "own_part", "3.0")
    assert environment(read_lock(path), tmp_path / "cache").packages == ("own_part==3.0",)


def test_a_package_that_cannot_be_had_is_refused_with_the_installers_words(tmp_path, lock, wheels):
    path = lock("first-part==9.9")
    with pytest.raises(HarnessError, match="cannot be built") as refused:
        environment(read_lock(path), tmp_path / "cache", wheels=wheels)
    assert "first-part==9.9" in str(refused.value.got)
    assert [entry.suffix for entry in (tmp_path / "cache").iterdir()] == [".lock"], (
        "something half-built is left"
    )


def test_a_lock_that_lacks_a_package_which_another_needs_is_refused(tmp_path, lock, wheels):
    path = lock("second_part==2.1")
    with pytest.raises(HarnessError, match="cannot be built") as refused:
        environment(read_lock(path), tmp_path / "cache", wheels=wheels)
    assert "first-part" in str(refused.value.got)


def test_source_distributions_are_refused_because_building_one_runs_its_code(tmp_path, lock):
    path = lock("--no-index", "--find-links sources", "evil==1.0")
    (tmp_path / "evil-1.0").mkdir()
    (tmp_path / "evil-1.0" / "setup.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\n")
    (path.parent / "sources").mkdir()
    shutil.make_archive(str(path.parent / "sources" / "evil-1.0"), "gztar", tmp_path, "evil-1.0")
    with pytest.raises(HarnessError, match="cannot be built"):
        environment(read_lock(path), tmp_path / "cache")
    assert not (tmp_path / "ran").exists()


def test_what_a_killed_builder_left_is_built_anew(tmp_path, lock, wheels):
    path = lock("first-part==1.0")
    made = environment(read_lock(path), tmp_path / "cache", wheels=wheels)
    (made.folder / MARKER).unlink()
    (made.folder / "bin" / "python").unlink()
    assert environment(read_lock(path), tmp_path / "cache", wheels=wheels).built
    assert says(made.python, "import first_part") == ""


def test_an_environment_whose_interpreter_is_gone_is_built_anew(tmp_path, lock):
    path = lock()
    made = environment(read_lock(path), tmp_path / "cache")
    (made.folder / "bin" / "python").unlink()
    assert environment(read_lock(path), tmp_path / "cache").built


def test_those_who_need_the_same_environment_at_once_build_it_once(tmp_path, lock, wheels):
    path = lock("first-part==1.0")
    code = (
        "import sys; from pathlib import Path\n"
        "from harness.runtimes.environments.build import environment\n"
        "from harness.runtimes.environments.lock import read_lock\n"
        "made = environment(read_lock(Path(sys.argv[1])), Path(sys.argv[2]), wheels=Path(sys.argv[3]))\n"
        "print(made.built, made.packages)"
    )
    argv = [sys.executable, "-c", code, str(path), str(tmp_path / "cache"), str(wheels)]
    with ThreadPoolExecutor(4) as pool:
        ended = list(
            pool.map(
                lambda _: subprocess.run(argv, capture_output=True, text=True, check=True).stdout, range(4)
            )
        )
    assert sorted(ended) == ["False ('first_part==1.0',)\n"] * 3 + ["True ('first_part==1.0',)\n"]


SLOW = """
import sys, time
from pathlib import Path
Path(sys.argv[1]).write_text("started")
time.sleep(60)
"""


def test_the_next_builder_waits_until_a_killed_ones_installer_has_ended(tmp_path, lock, monkeypatch):
    path, sign = lock(), tmp_path / "sign"
    (tmp_path / "slow.py").write_text(SLOW)
    code = (
        "import sys; from pathlib import Path\n"
        "from harness.runtimes.environments import build\n"
        "from harness.runtimes.environments.installers import Installer\n"
        "from harness.runtimes.environments.lock import read_lock\n"
        f"slow = Installer('pip', (sys.executable, {str(tmp_path / 'slow.py')!r}, {str(sign)!r}), ())\n"
        "build.installers = lambda: [slow]\n"
        "build.environment(read_lock(Path(sys.argv[1])), Path(sys.argv[2]))\n"
    )
    builder = subprocess.Popen([sys.executable, "-c", code, str(path), str(tmp_path / "cache")])
    while not sign.exists() or not sign.read_text():
        assert builder.poll() is None
        time.sleep(0.02)
    (installer,) = _children(builder.pid)
    builder.kill()
    builder.wait()
    said: list[str] = []
    with ThreadPoolExecutor(1) as pool:
        next_one = pool.submit(environment, read_lock(path), tmp_path / "cache", say=said.append)
        while not said:
            time.sleep(0.02)
        assert said == ["waiting for another process that builds the same environment"]
        assert not next_one.done()
        os.kill(installer, signal.SIGKILL)
        assert next_one.result(60).built


def _children(pid: int) -> list[int]:
    told = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [int(word) for word in told.split()]


def test_the_marker_says_what_is_in_it_and_what_made_it(tmp_path, lock, wheels):
    made = environment(read_lock(lock("first-part==1.0")), tmp_path / "cache", wheels=wheels)
    told = json.loads((made.folder / MARKER).read_text())
    assert told["packages"] == ["first_part==1.0"]
    assert told["installer"] in ALL
    assert told["python"][1] == ".".join(str(part) for part in sys.version_info[:3])


@pytest.mark.parametrize("name", ["uv", "pip"])
def test_a_package_is_installed_regardless_of_its_metadata_where_the_lock_says_so(
    monkeypatch, capsys, tmp_path, lock, wheels, write_wheel, name
):
    if name not in ALL:
        pytest.skip(f"{name} is not installed")
    monkeypatch.setattr(build, "installers", lambda: [ALL[name]])
    write_wheel(wheels, "old_part", "1.0", needs=["absent", "first-part>=7"], python="<3.11,>=3.9")
    remarks = ("# harness: notice Read its licence.", "# harness: regardless old_part 3.10")
    told = read_lock(lock(*remarks, "old_part==1.0", "first_part==1.0"))
    made = environment(told, tmp_path / "cache", wheels=wheels)
    assert made.packages == ("first_part==1.0", "old_part==1.0")
    assert capsys.readouterr().err == "notice: Read its licence.\n"
    assert not environment(told, tmp_path / "cache", wheels=wheels).built
    assert capsys.readouterr().err == ""
    assert json.loads((made.folder / MARKER).read_text())["notices"] == ["Read its licence."]
    if name == "pip":  # slow, and the rest is the same
        return
    write_wheel(wheels, "strict_part", "1.0", needs=["absent"])
    held = read_lock(lock(remarks[1], "old_part==1.0", "first_part==1.0", "strict_part==1.0"))
    with pytest.raises(HarnessError, match="cannot be built"):  # the others are held to their metadata still
        environment(held, tmp_path / "cache", wheels=wheels)

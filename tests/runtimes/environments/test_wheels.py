"""Wheels of packages that come without one: made on request, once, and found beside the index."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.errors import HarnessError
from harness.runtimes.environments.build import environment
from harness.runtimes.environments.inventory import environments
from harness.runtimes.environments.lock import read_lock
from harness.runtimes.environments.wheels import SOURCES, build_wheels


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A package as a source folder, whose build needs nothing but itself."""
    folder = tmp_path / "source"
    folder.mkdir()
    (folder / "pyproject.toml").write_text(
        '[build-system]\nrequires = []\nbuild-backend = "own"\nbackend-path = ["."]\n'
    )
    (folder / "own.py").write_text(
        "import zipfile\n"
        "INFO = 'lonely-1.5.dist-info'\n"
        "def build_wheel(folder, settings=None, metadata=None):\n"
        "    name = 'lonely-1.5-py3-none-any.whl'\n"
        "    with zipfile.ZipFile(folder + '/' + name, 'w') as out:\n"
        "        out.writestr('lonely.py', '')\n"
        "        out.writestr(INFO + '/METADATA', 'Metadata-Version: 2.1\\nName: lonely\\nVersion: 1.5\\n')\n"
        "        out.writestr(INFO + '/WHEEL', 'Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n')\n"
        "        out.writestr(INFO + '/RECORD', '')\n"
        "    return name\n"
    )
    return folder


@pytest.fixture
def sources(tmp_path: Path) -> Callable[[str], Path]:
    def write(text: str) -> Path:
        folder = tmp_path / "submission"
        folder.mkdir(exist_ok=True)
        (folder / SOURCES).write_text(text)
        return folder / SOURCES

    return write


def test_a_wheel_is_made_of_the_source_that_the_user_supplies_once(monkeypatch, tmp_path, sources, source):
    monkeypatch.setenv("LONELY_SOURCE", str(source))
    said: list[str] = []
    path = sources("# by hand\nlonely==1.5 @ $LONELY_SOURCE\n")
    (made,) = build_wheels(path, tmp_path / "wheels", said.append)
    assert made.name == "lonely-1.5-py3-none-any.whl"
    assert os.listdir(tmp_path / "wheels") == [made.name], "something half-made is left"
    assert build_wheels(path, tmp_path / "wheels", said.append) == [made]
    assert said == ["building lonely 1.5 from source"]


def test_environments_find_such_wheels_beside_the_index_and_are_listed_with_what_they_cost(
    monkeypatch, tmp_path, sources, source, write_wheel
):
    monkeypatch.setenv("LONELY_SOURCE", str(source))
    path = sources("lonely==1.5 @ $LONELY_SOURCE\n")
    index, beside = tmp_path / "index", tmp_path / "beside"
    write_wheel(index, "first_part")
    lock = path.with_name("requirements.lock")
    lock.write_text("first_part==1.0\nlonely==1.5\n")
    with pytest.raises(HarnessError, match="cannot be built") as refused:
        environment(read_lock(lock), tmp_path / "cache", wheels=index, beside=beside)
    assert f"harness environment wheels {path.parent}" in str(refused.value.mend)
    build_wheels(path, beside)
    made = environment(read_lock(lock), tmp_path / "cache", wheels=index, beside=beside)
    assert made.packages == ("first_part==1.0", "lonely==1.5")
    (listed,) = environments(tmp_path / "cache")
    assert (listed.folder, listed.built_for, listed.packages) == (made.folder, "submission", made.packages)
    assert listed.n_bytes > 1000
    assert listed.seconds > 0


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("lonely==1.5 @ $LONELY_SOURCE", "LONELY_SOURCE is not set"),
        ("lonely>=1", "lonely>=1"),
        ("--index-url x", "--index-url x"),
    ],
)
def test_a_source_that_is_not_supplied_or_leaves_a_choice_is_refused(
    monkeypatch, tmp_path, sources, line, said
):
    monkeypatch.delenv("LONELY_SOURCE", raising=False)
    with pytest.raises(HarnessError) as refused:
        build_wheels(sources(line), tmp_path / "wheels")
    assert refused.value.got == said


def test_a_source_of_another_version_is_refused(monkeypatch, tmp_path, sources, source):
    monkeypatch.setenv("LONELY_SOURCE", str(source))
    with pytest.raises(HarnessError, match="another package or version"):
        build_wheels(sources("lonely==2.0 @ $LONELY_SOURCE"), tmp_path / "wheels")


def test_a_submission_without_such_packages_says_so(tmp_path):
    with pytest.raises(HarnessError, match="names no packages"):
        build_wheels(tmp_path / SOURCES, tmp_path / "wheels")

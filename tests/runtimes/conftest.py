"""Small real submissions: any program, started by the real runtime."""

from __future__ import annotations

import base64
import hashlib
import importlib.util
import sys
import textwrap
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.contract.manifest import Submission
from harness.runtimes.protocol import Job, Limits

MakeJob = Callable[..., Job]


@pytest.fixture
def make_job(tmp_path: Path) -> MakeJob:
    """A job that runs a few lines of Python as a `command` submission."""

    def make(code: str, *, params: dict[str, Any] | None = None, gpus: int = 0, **limits: Any) -> Job:
        folder = tmp_path / "submission"
        folder.mkdir(exist_ok=True)
        (folder / "main.py").write_text(textwrap.dedent(code))
        (tmp_path / "task").mkdir(exist_ok=True)
        manifest = Submission.read(
            {
                "schema": 1,
                "name": "small",
                "version": "1",
                "title": "small",
                "authors": ["a"],
                "license": "MIT",
                "run": {"command": [sys.executable, "main.py"]},
                "resources": {"gpus": gpus},
            },
            where="test",
        )
        return Job(
            manifest=manifest,
            folder=folder,
            task=tmp_path / "task",
            output=tmp_path / "work" / "output",
            log=tmp_path / "log.txt",
            params=params or {},
            seed=7,
            limits=replace(Limits(seconds=30, grace_seconds=0.5), **limits),
        )

    return make


@pytest.fixture(scope="session")
def write_wheel() -> Callable[..., Path]:
    """Write a wheel of one Python module, as any installer takes it: `write_wheel(folder, "name", "1.0", needs=[…])`."""

    def write(
        folder: Path,
        name: str,
        version: str = "1.0",
        *,
        code: str = "",
        needs: Sequence[str] = (),
        python: str = "",
    ) -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        info = f"{name}-{version}.dist-info"
        needed = "".join(f"Requires-Dist: {need}\n" for need in needs)
        needed += f"Requires-Python: {python}\n" if python else ""
        files = {
            f"{name}.py": code or f"VERSION = {version!r}\n",
            f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{needed}",
            f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        }
        record = "".join(f"{path},sha256={_sha(text)},{len(text.encode())}\n" for path, text in files.items())
        files[f"{info}/RECORD"] = record + f"{info}/RECORD,,\n"
        wheel = folder / f"{name}-{version}-py3-none-any.whl"
        with zipfile.ZipFile(wheel, "w") as archive:
            for path, text in files.items():
                archive.writestr(path, text)
        return wheel

    return write


def _sha(text: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()


@pytest.fixture(scope="session")
def installed_wheel(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], tuple[str, str]]:
    """A package of this environment as the two lines of a lock that install it without an index."""
    path = Path(__file__).parents[1] / "engines" / "wheel_of.py"
    spec = importlib.util.spec_from_file_location("wheel_of", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    folder = tmp_path_factory.mktemp("wheels")
    return lambda name: (f"--find-links {folder}", module.wheel_of(name, folder))

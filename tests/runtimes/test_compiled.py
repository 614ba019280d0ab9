"""Small programs are compiled once, and never run from bytecode of another source."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from harness.runtimes.compiled import compiled


def said(program: Path) -> str:
    return subprocess.run(
        [sys.executable, "-I", "-S", program], capture_output=True, text=True, check=True
    ).stdout


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "small.py"
    path.write_text("print('one')\n")
    return path


def test_a_program_runs_from_its_bytecode(source: Path) -> None:
    code = compiled(source)
    assert code.suffix == ".pyc"
    assert said(code) == "one\n"


def test_bytecode_runs_under_any_name(source: Path, tmp_path: Path) -> None:
    renamed = tmp_path / ".first"
    renamed.write_bytes(compiled(source).read_bytes())
    assert said(renamed) == "one\n"


def test_bytecode_of_another_source_is_not_used(source: Path) -> None:
    stamp = source.stat()
    compiled(source)
    source.write_text("print('two')\n")
    os.utime(source, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    compiled.cache_clear()
    assert said(compiled(source)) == "two\n"


def test_where_nothing_can_be_written_the_source_runs(source: Path) -> None:
    (source.parent / "__pycache__").write_text("in the way")
    assert compiled(source) == source
    assert said(compiled(source)) == "one\n"

"""What the parent of a run tells, as lines of a name and its value, that nothing a submission is called can forge."""

from __future__ import annotations

import marshal
import subprocess
import sys

import pytest

from harness.runtimes import supervisor


def told(*command: str) -> dict[str, object]:
    plan = marshal.dumps({"file_limit": 1 << 20, "groups": [], "wrapped": False}).hex()
    done = subprocess.run(
        [sys.executable, "-I", "-S", supervisor.__file__, plan, *command],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, check=True,
    )  # fmt: skip
    return supervisor.read_told(done.stdout)


def test_a_command_that_cannot_start_is_named_in_one_line() -> None:
    found = told("no such\nprogram\ncode 0")
    assert set(found) == {"cannot_start"}
    assert str(found["cannot_start"]).startswith("no such program code 0: ")


@pytest.mark.parametrize("text", [b"", b"\n", b"word", b"\xff\xfe 3\n"])
def test_half_a_line_is_no_code(text: bytes) -> None:
    assert "code" not in supervisor.read_told(text)


def test_numbers_are_numbers_and_words_are_words() -> None:
    assert supervisor.read_told(b"code -9\ncannot_start 3 steps\n") == {"code": -9, "cannot_start": "3 steps"}

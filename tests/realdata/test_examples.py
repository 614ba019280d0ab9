"""The examples of the help that need a mirror."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner

from harness.cli.data import app

pytestmark = pytest.mark.realdata
EXAMPLES = [
    example
    for command in app.registered_commands
    for example in re.findall(r"Example: `harness data (.+)`", str(command.callback.__doc__))
    if "--mirror DIR" in example
]


def test_there_are_examples_that_need_a_mirror() -> None:
    assert {example.split()[0] for example in EXAMPLES} == {"fetch", "import"}


@pytest.mark.parametrize("example", EXAMPLES)
def test_the_examples_of_the_help_run(
    example: str, mirror: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("HARNESS_DATA_DIR", raising=False)
    result = CliRunner().invoke(app, shlex.split(example.replace("DIR", shlex.quote(str(mirror)))))
    assert result.exit_code == 0, result.output

"""The command of a record says what was done, and not whose folder it was done in."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.records.provenance import command_said

FOLDER = Path("/home/somebody/checkout")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["/usr/bin/harness", "submit", "v3a"], "harness submit v3a"),
        (["/x/harness/cli/main.py", "runs", "list"], "harness runs list"),
        (["harness", "submit", f"{FOLDER}/submissions/v3a"], "harness submit submissions/v3a"),
        (["harness", "submit", "v3a", f"--runs={FOLDER}/my runs"], "harness submit v3a '--runs=my runs'"),
        (["harness", "submit", "/elsewhere/v3a"], "harness submit /elsewhere/v3a"),
        (["harness", "submit", "v3a", "--param", "steps=3"], "harness submit v3a --param steps=3"),
    ],
)
def test_a_command_is_said_as_it_would_be_typed_in_its_folder(words: list[str], said: str) -> None:
    assert command_said(words, FOLDER) == said

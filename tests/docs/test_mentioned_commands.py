"""Every `harness …` that a page mentions exists, with every option that it is given there."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from harness.cli.main import VERBS, load

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
SHOWN = re.compile(r"`(harness [^`]+)`")
BLOCK = re.compile(r"^```(?:bash|sh|text|console)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
NAME = re.compile(r"[a-z][a-z0-9-]*")


def mentioned(page: Path) -> Iterator[str]:
    """Command lines of a page, between backticks and in its blocks."""
    text = page.read_text(encoding="utf-8")
    yield from SHOWN.findall(text)
    for block in BLOCK.findall(text):
        for line in block.replace("\\\n", " ").splitlines():
            line = line.removeprefix("$ ").strip()
            if line.startswith("harness "):
                yield line


@cache
def verb(name: str) -> Any:
    return load(VERBS[name][0])


def wrong(line: str) -> str | None:
    """What is not there, or none."""
    try:
        words = shlex.split(line, comments=True)[1:]
    except ValueError:
        return "it cannot be read as a command line"
    if not words or not NAME.fullmatch(words[0]):
        return None  # `harness --help`, or a sentence with `harness …`
    if words[0] not in VERBS:
        return f"no verb {words[0]!r}"
    command, rest = verb(words[0]), words[1:]
    while getattr(command, "commands", None) and rest and NAME.fullmatch(rest[0]):
        if rest[0] not in command.commands:
            return f"{words[0]} has no {rest[0]!r}"
        command, rest = command.commands[rest[0]], rest[1:]
        if rest and rest[0] == "|":
            return None
    known = {
        option for param in getattr(command, "params", ()) for option in (*param.opts, *param.secondary_opts)
    }
    if getattr(command, "commands", None):
        return None
    for word in rest:
        option = word.split("=")[0]
        if option.startswith("--") and len(option) > 2 and option not in known | {"--help"}:
            return f"{words[0]} has no option {option}"
    return None


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_command_that_a_page_mentions_exists(page: Path) -> None:
    faults = {line: fault for line in mentioned(page) if (fault := wrong(line))}
    assert not faults


def test_a_command_that_does_not_exist_is_found() -> None:
    assert wrong("harness sumbit ridge") == "no verb 'sumbit'"
    assert wrong("harness runs lost") == "runs has no 'lost'"
    assert wrong("harness submit ridge --sead 3") == "submit has no option --sead"
    assert wrong("harness submit ridge --seed 3") is None

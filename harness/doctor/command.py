"""Asking a program of this machine something, with an answer in any case: never hangs, never raises."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from typing import NamedTuple

NOT_FOUND = 127
NO_ANSWER = 124


class Answer(NamedTuple):
    """What a program said."""

    code: int
    out: str
    err: str

    @property
    def last_words(self) -> str:
        """The last line that says why."""
        lines = [line.strip() for line in (self.err + "\n" + self.out).splitlines() if line.strip()]
        told = self.err.strip().splitlines()
        return told[-1].strip() if told else (lines[-1] if lines else f"exit code {self.code}, no message")


def ask(argv: Sequence[str], *, seconds: float = 20, env: Mapping[str, str] | None = None) -> Answer:
    """Run a program to its end or to a time limit; it inherits no terminal."""
    try:
        done = subprocess.run(
            list(argv),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=seconds,
            env={**os.environ, **(env or {})},
            check=False,
        )
    except OSError as error:
        return Answer(NOT_FOUND, "", f"{argv[0]}: {error.strerror}")
    except subprocess.TimeoutExpired:
        return Answer(NO_ANSWER, "", f"{argv[0]}: no answer within {seconds:g} s")
    return Answer(done.returncode, done.stdout, done.stderr)

"""The one family of errors that a user can mend.

A `HarnessError` is a conversation: what happened, where, what was found, what was expected, how to mend it. The command
line prints it without a traceback and exits with its code; every other exception is a bug and keeps its traceback.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from enum import IntEnum


class ExitCode(IntEnum):
    """What the process that ran a verb says to the shell. Run statuses have their own codes in `contract.status`."""

    OK = 0
    USAGE = 2
    REFUSED = 3
    CHANGED = 4
    UNKNOWN = 5
    EXISTS = 6


class HarnessError(Exception):
    """Input that is refused, with everything needed to mend it."""

    code: int = ExitCode.REFUSED

    def __init__(
        self,
        what: str,
        *,
        where: object = None,
        got: object = None,
        expected: object = None,
        mend: str | None = None,
    ) -> None:
        self.what = what
        self.where = None if where is None else str(where)
        self.got = None if got is None else str(got)
        self.expected = None if expected is None else str(expected)
        self.mend = mend
        super().__init__(what)

    def lines(self) -> list[tuple[str, str]]:
        """The parts that were given, in reading order, as (label, text)."""
        parts = (
            ("where", self.where),
            ("got", self.got),
            ("expected", self.expected),
            ("mend", self.mend),
        )
        return [(label, text) for label, text in parts if text is not None]

    def __str__(self) -> str:
        return "\n".join([self.what, *(f"  {label}: {text}" for label, text in self.lines())])


class ChangedError(HarnessError):
    """Frozen content does not match the hash it was frozen under."""

    code = ExitCode.CHANGED


class UnknownNameError(HarnessError):
    """A name that does not exist, with the nearest ones that do."""

    code = ExitCode.UNKNOWN

    def __init__(self, kind: str, name: str, known: Iterable[str], *, where: object = None) -> None:
        options = sorted(known)
        near = difflib.get_close_matches(name, options, n=3)
        shown = ", ".join(options[:12]) + (", …" if len(options) > 12 else "")
        super().__init__(
            f"unknown {kind} {name!r}",
            where=where,
            expected=shown or f"there is no {kind} yet",
            mend=f"did you mean {near[0]!r}?" if near else None,
        )


class ExistsError(HarnessError):
    """Something stands already where a new thing was to be made."""

    code = ExitCode.EXISTS

"""The one family of errors that a user can mend.

A `HarnessError` is a conversation: what happened, where, what was found, what was expected, how to mend it. The command
line prints it without a traceback and exits with its code; every other exception is a bug and keeps its traceback.
"""

from __future__ import annotations

import difflib
import errno
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
    SYSTEM = 7


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


class SystemRefusedError(HarnessError):
    """The operating system refused: no space, no right, no such place."""

    code = ExitCode.SYSTEM


_SYSTEM_MENDS = {
    errno.ENOSPC: "free some space there, or choose another folder",
    errno.EDQUOT: "free some space there, or choose another folder",
    errno.EROFS: "choose a folder that can be written to",
    errno.EACCES: "ask for the right to it, or choose another folder",
    errno.EPERM: "ask for the right to it, or choose another folder",
    errno.ENAMETOOLONG: "choose a shorter name",
    errno.ENOTDIR: "one part of the path is a file; choose another folder",
    errno.ELOOP: "a symbolic link leads back to itself; mend the link",
    errno.EMFILE: "raise the limit on open files (ulimit -n)",
    errno.ENFILE: "close some programs; the system has too many open files",
    errno.EIO: "the disk has an error; choose another one",
}


def system_refusal(error: OSError) -> SystemRefusedError | None:
    """What the operating system refused, as a conversation; None where a bug is the more likely reason."""
    if error.errno not in _SYSTEM_MENDS:
        return None
    named = error.filename2 or error.filename
    return SystemRefusedError(
        "the operating system refused",
        where=None if named is None or isinstance(named, int) else named,
        got=error.strerror,
        mend=_SYSTEM_MENDS[error.errno],
    )

"""One line of the access ledger: who opened which test truth, when and why, and the hash of the line before it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Literal

from harness.contract.models import Record
from harness.digest import Digest
from harness.errors import ChangedError, HarnessError
from harness.storage import canonical_json

Purpose = Literal[
    "submit",
    "score",
    "rescore",
    "eval",
    "export",
    "import",
    "audit",
    "verify",
    "control",
    "passport",
    "mended",
]
OWN: frozenset[str] = frozenset(("verify", "control", "passport", "mended"))
"""Lines of the harness's own: nobody who could choose by them is shown a score of a submission."""
START = "0" * 64
"""What the first line has for the hash of the line before it."""


class Entry(Record):
    """One opening of test truth."""

    number: int
    """From 1, without a gap."""
    time: str
    """UTC, ISO 8601."""
    purpose: Purpose
    whose: Literal["submission", "harness"]
    """Whether somebody who may choose by what is seen has looked, or the harness for itself."""
    command: str
    reason: str
    """Why test was opened, where it had to be said."""
    task: str
    task_hash: str
    data_hash: str
    split_hash: str
    submission: str | None
    content_hash: str | None
    """Of the submission."""
    setting_hash: str | None
    """Of its content, variant and parameters, whatever the seed."""
    config_hash: str | None
    predictions_sha256: str | None
    previous: str
    """Hash of the line before."""
    hash: str = ""
    """Of every other field."""

    def sealed(self) -> Entry:
        """The same line with its hash."""
        return self.model_copy(update={"hash": self.own_hash()})

    def own_hash(self) -> str:
        """What `hash` has to be."""
        content = self.model_dump(mode="json", exclude={"hash"})
        return Digest("ledger").json("entry", content).hexdigest()

    def line(self) -> bytes:
        """The line as it stands in the file."""
        return canonical_json(self.model_dump(mode="json")).encode() + b"\n"


class LookReference(Record):
    """Which line of the ledger accounts for a run's opening of test, as the record keeps it."""

    number: int
    hash: str
    family_looks: int
    """How many times this submission, by name or by content, had looked at this split's test truth, this time included."""
    split_looks: int
    """How many times anybody had."""

    @property
    def sentence(self) -> str:
        """What a scorecard says of it."""
        return (
            f"look {self.family_looks} of this submission at this split's test truth, {self.split_looks} of all "
            f"(line {self.number} of the ledger)"
        )


def read_entry(raw: bytes, where: object) -> Entry:
    """A line as an entry; one that is none, or was edited, is refused."""
    try:
        value = json.loads(raw)
    except ValueError:
        raise ChangedError(
            "a line of the ledger is no entry", where=where, got=raw[:60].decode(errors="replace")
        ) from None
    try:
        entry = Entry.read(value, where=where)
    except HarnessError as refusal:
        raise ChangedError("a line of the ledger is no entry", where=where, got=refusal.got) from None
    found = entry.own_hash()
    if found != entry.hash:
        raise ChangedError(
            "a line of the ledger was edited",
            where=where,
            got=f"entry {entry.number} with content {found}",
            expected=entry.hash,
        )
    return entry


def place(path: Path, line: int) -> str:
    """A line of a ledger, as errors name it."""
    return f"{path}, line {line}"

"""`seal.json` of a run: what its record binds, by name, and the pages that were made from it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from harness.contract.models import Record
from harness.digest import Digest, file_hash
from harness.errors import ChangedError, HarnessError
from harness.records.page_seal import has_own_seal, seal_page
from harness.records.record import RunRecord
from harness.records.run_folder import METRICS_FILE, RECORD_FILE, SEAL_FILE, RunFolder
from harness.storage import read_json, write_json, write_text

SIGNATURE_FILE = f"{SEAL_FILE}.sig"


class Bound(Record):
    """What the numbers of a run hang on, each by its hash."""

    data: str
    split: str
    genes: str
    submission: str
    task: str | None
    metrics_version: str | None
    predictions: str | None
    metrics: str | None
    """Of `metrics.json`."""


class RunSeal(Record):
    """`seal.json`."""

    schema_version: Annotated[Literal[1], Field(alias="schema")] = 1
    run: str
    record_sha256: str
    """Of `record.json`, which lists every file that the run left."""
    bound: Bound
    pages: dict[str, str]
    """SHA-256 of every page that was made from the run."""
    seal: str = ""
    """Hash of the other fields."""

    def own_hash(self) -> str:
        """What `seal` has to be."""
        return (
            Digest("run-seal")
            .json("seal", self.model_dump(mode="json", by_alias=True, exclude={"seal"}))
            .hexdigest()
        )


def bound_by(record: RunRecord) -> Bound:
    """What a record binds."""
    return Bound(
        data=record.dataset.hash,
        split=record.split.hash,
        genes=record.genes_hash,
        submission=record.submission.content_hash,
        task=record.task.hash,
        metrics_version=record.metrics_version,
        predictions=record.predictions_sha256,
        metrics=record.files.get(METRICS_FILE),
    )


def write_seal(folder: Path, record: RunRecord, pages: dict[str, str] | None = None) -> RunSeal:
    """Seal a run whose record is written."""
    draft = RunSeal(
        run=record.run,
        record_sha256=file_hash(folder / RECORD_FILE),
        bound=bound_by(record),
        pages=pages or {},
    )
    seal = draft.model_copy(update={"seal": draft.own_hash()})
    write_json(folder / SEAL_FILE, seal.model_dump(mode="json", by_alias=True))
    return seal


def read_seal(folder: Path, *, of_record: bool = True) -> RunSeal:
    """The seal of a run, which has to fit its own hash and, unless that is left out, its record."""
    path = folder / SEAL_FILE
    if not path.is_file():
        raise HarnessError(
            "the run is not sealed", where=folder, mend="harness seal RUN seals it as it is now"
        )
    seal = RunSeal.read(read_json(path, "seal"), where=path)
    if seal.own_hash() != seal.seal:
        raise ChangedError("the seal has changed", where=path, got=seal.own_hash(), expected=seal.seal)
    if not of_record:
        return seal
    found = file_hash(folder / RECORD_FILE) if (folder / RECORD_FILE).is_file() else "no such file"
    if found != seal.record_sha256:
        raise ChangedError(
            "the record has changed since it was sealed",
            where=folder / RECORD_FILE,
            got=found,
            expected=seal.record_sha256,
        )
    return seal


def add_page(run: RunFolder, name: str, html: str) -> Path:
    """Write a page of a sealed run, closed by its own seal, and enter it in `seal.json`; an older one is replaced."""
    add_pages(run, {name: html})
    return run.path / name


def add_pages(run: RunFolder, pages: Mapping[str, str]) -> None:
    """Write pages of a sealed run, each closed by its own seal where its format has a place for one, and enter them."""
    if (run.path / SIGNATURE_FILE).exists():
        raise HarnessError(
            "the run is signed, and its signature would not cover a new page",
            where=run.path / SIGNATURE_FILE,
            mend="remove the signature, make the page, sign again with harness seal RUN --sign KEY",
        )
    for name in pages:
        if Path(name).name != name or name in run.record.files or name in (RECORD_FILE, SEAL_FILE):
            raise HarnessError("a page has a file name of its own", where=run.path, got=name)
    old = read_seal(run.path)
    found = dict(old.pages)
    for name, text in pages.items():
        sealed = seal_page(text, run.record.run, old.record_sha256) if has_own_seal(name) else text
        write_text(run.path / name, sealed)
        found[name] = file_hash(run.path / name)
    write_seal(run.path, run.record, found)

"""Checking a run to the last byte: everything that its numbers hang on, each by name."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from harness.contract.predictions import PREDICTIONS_FILE, predictions_hash
from harness.datasets.meta import DATASET_META, genes_hash
from harness.datasets.progress import Progress
from harness.datasets.verification import faults
from harness.digest import file_hash
from harness.errors import HarnessError, UnknownNameError
from harness.records.ledger_faults import inspect_ledger, unaccounted_runs
from harness.records.page_seal import has_own_seal, read_page_seal
from harness.records.record import RunConfig, RunRecord
from harness.records.run_folder import (
    CALIBRATION_FILE,
    CONFIG_FILE,
    METRICS_FILE,
    MODEL,
    PREDICTIONS,
    RECORD_FILE,
    SEAL_FILE,
    SPLIT_FILE,
    TABLE_FILE,
    RunFolder,
)
from harness.records.seal import SIGNATURE_FILE, RunSeal, bound_by, read_seal
from harness.records.versions import version_of
from harness.splits.store import SplitStore
from harness.storage import read_json

Verdict = Literal["as sealed", "changed", "not checked"]


@dataclass(frozen=True)
class Check:
    """One thing that was looked at."""

    what: str
    """`seal`, `record`, `data`, `gene list`, `split`, `predictions`, `metrics`, `page`, `ledger`, …"""
    verdict: Verdict
    said: str = ""

    @property
    def document(self) -> dict[str, str]:
        return {"what": self.what, "verdict": self.verdict, "said": self.said}


@dataclass(frozen=True)
class Places:
    """Where the things lie that a run was made from."""

    data: Path
    """The folder of datasets, by name."""
    splits: Path
    ledger: Path


def verify_run(path: Path, places: Places, progress: Progress | None = None) -> list[Check]:
    """Check everything of a run that can be checked without scoring it again."""
    checks: list[Check] = []
    seal = _take(checks, "seal", lambda: _seal(path))
    record = _take(checks, "record", lambda: _record(path, seal))
    if record is None:
        return checks
    run = RunFolder(path, record)
    for check in (_configuration(run), *_files(run), _metrics_version(run), _predictions(run)):
        checks += [check] if check else []
    if seal is not None:
        checks += list(_pages(run, seal))
    checks += list(verify_dataset(record, places.data / record.dataset.name, progress))
    checks.append(_split(run, SplitStore(places.splits)))
    checks.append(_ledger(run, places.ledger))
    return checks


def _take(checks: list[Check], what: str, read: Any) -> Any:
    """What can be read, with a check of it; None where it was changed."""
    try:
        found = read()
    except HarnessError as fault:
        checks.append(failed(what, fault))
        return None
    checks.append(Check(what, "as sealed"))
    return found


def failed(what: str, fault: HarnessError) -> Check:
    """A check that found a change."""
    told = "; ".join(f"{label} {text}" for label, text in fault.lines() if label != "mend")
    return Check(what, "changed", f"{fault.what}: {told}")


def _seal(path: Path) -> RunSeal:
    return read_seal(path, of_record=False)


def _record(path: Path, seal: RunSeal | None) -> RunRecord:
    if seal is not None:
        read_seal(path)
    where = path / RECORD_FILE
    record = RunRecord.read(read_json(where, "run record"), where=where)
    if seal is not None and seal.bound != bound_by(record):
        raise HarnessError("the record binds something else than the seal says", where=where)
    return record


def _configuration(run: RunFolder) -> Check:
    try:
        config = RunConfig.read(read_json(run.path / CONFIG_FILE, "run configuration"), where=CONFIG_FILE)
    except HarnessError as fault:
        return failed("configuration", fault)
    same = config.with_hash().config_hash == config.config_hash == run.record.config_hash
    return Check("configuration", "as sealed") if same else Check("configuration", "changed", "another hash")


def _files(run: RunFolder) -> Iterator[Check]:
    """The files of the run folder against the record; a pruned checkpoint is no change."""
    pruned = not (run.path / MODEL).exists()
    n_pruned = 0
    good: dict[str, int] = {}
    bad = False
    for file, expected in run.record.files.items():
        name = _name_of(file)
        if pruned and file.startswith(f"{MODEL}/"):
            n_pruned += 1
            continue
        path = run.path / file
        found = file_hash(path) if path.is_file() and not path.is_symlink() else "no such file"
        if found == expected:
            good[name] = good.get(name, 0) + 1
        else:
            bad = True
            yield Check(name, "changed", f"{path}: got {found}, expected {expected}")
    if not bad:
        yield Check("files", "as sealed", f"{sum(good.values())} files")
    if n_pruned:
        yield Check("checkpoint", "not checked", f"{n_pruned} files were pruned")
    for path in _foreign(run):
        yield Check("file", "changed", f"{path}: no part of the run; move it elsewhere")


def _foreign(run: RunFolder) -> list[Path]:
    known = {*run.record.files, RECORD_FILE, SEAL_FILE, SIGNATURE_FILE}
    with suppress(HarnessError):  # named already
        known |= set(read_seal(run.path).pages)
    there = (path for path in run.path.rglob("*") if not path.is_dir() or path.is_symlink())
    return sorted(path for path in there if str(path.relative_to(run.path)) not in known)


def _name_of(file: str) -> str:
    if file in (METRICS_FILE, CALIBRATION_FILE, TABLE_FILE):
        return "metrics"
    if file == PREDICTIONS_FILE or file.startswith(f"{PREDICTIONS}/"):
        return "predictions"
    return {CONFIG_FILE: "configuration", SPLIT_FILE: "split"}.get(file, "file")


def _metrics_version(run: RunFolder) -> Check | None:
    if METRICS_FILE not in run.record.files:
        return Check("metrics", "not checked", f"status {run.record.status}: nothing was scored")
    try:
        found = version_of(read_json(run.path / METRICS_FILE, "metrics"))
    except (HarnessError, KeyError, TypeError):
        return None  # named by its file
    if run.record.metrics_version is None:
        return Check("metric definitions", "not checked", "the record is of before definitions were bound")
    same = found == run.record.metrics_version
    return Check("metric definitions", "as sealed" if same else "changed", "" if same else "another version")


def _predictions(run: RunFolder) -> Check | None:
    expected = run.record.predictions_sha256
    if expected is None:
        return Check("predictions", "not checked", "there are none")
    for name in (PREDICTIONS_FILE, PREDICTIONS):
        if (run.path / name).exists():
            found = predictions_hash(run.path / name)
            if found == expected:
                return Check("predictions", "as sealed")
            return Check("predictions", "changed", f"{run.path / name}: got {found}, expected {expected}")
    if run.record.predictions_kept:
        return None  # named by its file
    return Check("predictions", "not checked", "only their hash was kept")


def _pages(run: RunFolder, seal: RunSeal) -> Iterator[Check]:
    for name, expected in seal.pages.items():
        path = run.path / name
        found = file_hash(path) if path.is_file() else "no such file"
        if found != expected:
            yield Check("page", "changed", f"{path}: got {found}, expected {expected}")
            continue
        if not has_own_seal(name):
            yield Check("page", "as sealed", str(path))
            continue
        try:
            own = read_page_seal(path.read_bytes().decode(), path)
        except HarnessError as fault:
            yield failed("page", fault)
            continue
        same = own.record_sha256 == seal.record_sha256
        yield Check(
            "page", "as sealed" if same else "changed", f"{path}{'' if same else ': of another record'}"
        )


def verify_dataset(record: RunRecord, folder: Path, progress: Progress | None) -> Iterator[Check]:
    """Every array, row and gene of the dataset, where it is here."""
    meta = folder / DATASET_META
    if not meta.is_file():
        yield Check("data", "not checked", f"dataset {record.dataset.name} is not here")
        return
    found = faults(folder, on_progress=progress)
    for fault in found:
        yield failed("data", fault)
    try:
        told = json.loads(meta.read_bytes())
        genes, data = genes_hash(told["genes"]), told["data_hash"]
    except (ValueError, KeyError, TypeError, AttributeError):
        return  # named as data
    if not found:
        same = data == record.dataset.hash
        yield Check("data", "as sealed" if same else "changed", "" if same else f"{folder}: another dataset")
    same = genes == record.genes_hash
    said = "" if same else f"{meta}: got {genes}, expected {record.genes_hash}"
    yield Check("gene list", "as sealed" if same else "changed", said)


def _split(run: RunFolder, store: SplitStore) -> Check:
    expected = run.record.split.hash
    try:
        told = (run.path / SPLIT_FILE).read_text().strip()
        if told != expected:
            return Check("split", "changed", f"{run.path / SPLIT_FILE}: got {told}, expected {expected}")
        frozen = store.load(expected)
    except UnknownNameError:
        return Check("split", "not checked", f"split {run.record.split.name} is not in {store.root}")
    except HarnessError as fault:
        return failed("split", fault)
    except (OSError, UnicodeDecodeError) as error:
        return Check("split", "changed", str(error))
    same = frozen.frozen_hash == expected and frozen.dataset.hash == run.record.dataset.hash
    return Check("split", "as sealed" if same else "changed", "" if same else "frozen over another dataset")


def _ledger(run: RunFolder, ledger: Path) -> Check:
    if run.record.task.eval_split != "test" or METRICS_FILE not in run.record.files:
        return Check("ledger", "not checked", "no test truth was opened")
    state = inspect_ledger(ledger)
    for fault in unaccounted_runs(state, [run], ledger):
        return failed("ledger", fault)
    if state.faults:
        return failed("ledger", state.faults[0])
    look = run.record.look
    return Check("ledger", "as sealed", f"entry {look.number}" if look else "")

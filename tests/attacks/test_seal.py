"""Attacks on sealed runs and pages: one flipped bit, wherever it is, is found and named."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest

from harness.datasets.dataset import PerturbDataset
from harness.errors import ChangedError, HarnessError
from harness.records.ledger import head_path
from harness.records.page_seal import read_page_seal, seal_page
from harness.records.run_folder import RunFolder, open_run
from harness.records.seal import add_page
from harness.records.verify import Places, verify_run
from harness.schedulers.submit import SubmitRequest, plan_run, submit
from harness.splits.create import create_split
from harness.splits.store import SplitStore

PAGE = "<!doctype html>\n<html><body><table><tr><td>wmse</td><td>0.0312</td></tr></table></body></html>\n"
ZEROS = """
import numpy as np
from harness.sdk import Predictions

def submission(task):
    return Predictions(np.zeros(task.query.X.shape, np.float32), np.ones(task.query.X.shape, np.float32))
"""
MANIFEST = (
    'schema = 1\nname = "zeros"\nversion = "1"\ntitle = "zeros"\nauthors = ["a"]\nlicense = "MIT"\n'
    '[run]\nmodule = "main:submission"\n[resources]\ncpus = 1\nmemory = "2G"\ntime = "00:00:30"\n'
)


@dataclass(frozen=True)
class Sealed:
    """A sealed run on test, with its page, its dataset, its split and its ledger, all in one folder."""

    root: Path
    run: RunFolder

    @property
    def places(self) -> Places:
        return Places(self.root / "data", self.root / "splits", self.root / "ledger.jsonl")

    def changed(self) -> dict[str, str]:
        """What is found to have changed."""
        checks = verify_run(self.run.path, self.places)
        return {check.what: check.said for check in checks if check.verdict == "changed"}


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory, tiny_dataset: PerturbDataset) -> Path:
    root = tmp_path_factory.mktemp("sealed")
    split = create_split(tiny_dataset, "context_ood")
    shutil.copytree(tiny_dataset.path, root / "data" / "tiny")
    SplitStore(root / "splits").save(split)
    (root / "zeros").mkdir()
    (root / "zeros" / "main.py").write_text(ZEROS)
    (root / "zeros" / "submission.toml").write_text(MANIFEST)
    request = SubmitRequest(
        root / "zeros",
        tiny_dataset,
        split,
        root / "runs",
        root / "tasks",
        eval_split="test",
        first_look="why",
        controls=False,
    )
    add_page(submit(plan_run(request)), "scorecard.html", PAGE)
    return root


@pytest.fixture
def sealed(original: Path, tmp_path: Path) -> Sealed:
    """A copy of the sealed run, to be attacked."""
    root = tmp_path / "copy"
    shutil.copytree(original, root)
    for path in root.rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o644)
    (run,) = (path.parent for path in (root / "runs").glob("*/record.json"))
    return Sealed(root, open_run(run))


def flip(path: Path, at: int | None = None, bit: int = 0) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2 if at is None else at] ^= 1 << bit
    path.write_bytes(content)


def test_an_untouched_run_is_as_it_was_sealed(sealed):
    checks = verify_run(sealed.run.path, sealed.places)
    assert [check for check in checks if check.verdict == "changed"] == []
    looked_at = {check.what for check in checks if check.verdict == "as sealed"}
    assert looked_at >= {
        "seal", "record", "data", "gene list", "split", "configuration", "predictions", "metric definitions", "files",
        "page", "ledger",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("file", "named"),
    [
        ("metrics.json", "metrics"),
        ("metrics.parquet", "metrics"),
        ("calibration.json", "metrics"),
        ("predictions.npz", "predictions"),
        ("config.json", "configuration"),
        ("split_hash.txt", "split"),
        ("scorecard.html", "page"),
        ("record.json", "record"),
        ("seal.json", "seal"),
        ("log.txt", "file"),
        ("status", "file"),
    ],
)
def test_a_flipped_bit_in_a_file_of_the_run_is_named(sealed, file, named):
    path = sealed.run.path / file
    if path.stat().st_size == 0:
        path.write_text("x")
    else:
        flip(path)
    assert named in sealed.changed()


def test_a_flipped_bit_in_the_data_is_named(sealed):
    flip(sealed.root / "data" / "tiny" / "X.npy", at=-5)
    changed = sealed.changed()
    assert set(changed) == {"data"}
    assert "X.npy" in changed["data"]


def test_a_flipped_bit_in_the_gene_list_is_named(sealed):
    path = sealed.root / "data" / "tiny" / "meta.json"
    gene = json.loads(path.read_text())["genes"][7]
    flip(path, at=path.read_text().index(f'"{gene}"') + 1)
    assert {"data", "gene list"} == set(sealed.changed())


def test_a_flipped_bit_in_the_frozen_split_is_named(sealed):
    (path,) = (sealed.root / "splits").glob("*.json")
    flip(path)
    assert set(sealed.changed()) == {"split"}


def test_any_flipped_bit_of_record_seal_and_page_is_found(sealed):
    for file in ("record.json", "seal.json", "scorecard.html"):
        path = sealed.run.path / file
        content = path.read_bytes()
        for at in range(0, len(content), max(1, len(content) // 15)):
            flip(path, at, bit=at % 7)
            assert not {"record", "seal", "page"}.isdisjoint(sealed.changed()), f"{file}, byte {at}"
            path.write_bytes(content)
    assert sealed.changed() == {}


def test_a_record_that_is_edited_with_its_seal_taken_away_is_found(sealed):
    (sealed.run.path / "seal.json").unlink()
    assert "seal" in sealed.changed()


def test_metrics_that_are_edited_with_the_hash_in_the_record_are_found(sealed):
    from harness.digest import file_hash

    path = sealed.run.path / "metrics.json"
    flip(path, at=path.read_text().index('"value"') + 12)
    record = json.loads((sealed.run.path / "record.json").read_text())
    record["files"]["metrics.json"] = file_hash(path)
    (sealed.run.path / "record.json").write_text(json.dumps(record))
    assert "record" in sealed.changed()


def test_a_file_that_came_later_and_a_file_that_is_gone_are_named(sealed):
    (sealed.run.path / "better.html").write_text(PAGE)
    (sealed.run.path / "calibration.json").unlink()
    changed = sealed.changed()
    assert "better.html" in changed["file"]
    assert "no such file" in changed["metrics"]


def test_an_edited_number_is_found_in_the_page_alone(sealed):
    path = sealed.run.path / "scorecard.html"
    read_page_seal(path.read_text(), path)
    path.write_text(path.read_text().replace("0.0312", "0.0112"))
    with pytest.raises(ChangedError, match="page has changed"):
        read_page_seal(path.read_text(), path)


def test_a_page_that_was_edited_and_sealed_again_is_found_by_its_run(sealed):
    path = sealed.run.path / "scorecard.html"
    own = read_page_seal(path.read_text(), path)
    path.write_text(seal_page(path.read_text().replace("0.0312", "0.0112"), own.run, own.record_sha256))
    read_page_seal(path.read_text(), path)
    assert set(sealed.changed()) == {"page"}


def test_a_page_without_a_seal_or_with_two_is_refused(sealed):
    text = (sealed.run.path / "scorecard.html").read_text()
    comment = text[text.index("<!-- harness-seal") : text.index("-->") + 4]
    with pytest.raises(HarnessError, match="no seal"):
        read_page_seal(text.replace(comment, ""), "page")
    with pytest.raises(HarnessError, match="several"):
        read_page_seal(text + comment, "page")


def test_a_ledger_that_was_begun_anew_is_found(sealed):
    ledger = sealed.places.ledger
    ledger.unlink()
    head_path(ledger).unlink()
    assert set(sealed.changed()) == {"ledger"}


def test_a_pruned_checkpoint_breaks_no_seal(sealed, tmp_path, tiny_dataset):
    from harness.schedulers.prune import prunable, remove

    lines = [
        "import os",
        "d = os.environ['HARNESS_OUTPUT'] + '/model'",
        "os.mkdir(d)",
        "open(d + '/w', 'w').close()",
    ]
    code = ZEROS + "".join(f"\n{line}" for line in lines)
    (sealed.root / "zeros" / "main.py").write_text(code)
    split = create_split(tiny_dataset, "context_ood")
    root = sealed.root
    request = SubmitRequest(
        root / "zeros", tiny_dataset, split, root / "runs", root / "tasks", controls=False
    )
    run = submit(plan_run(request))
    assert (run.path / "model" / "w").is_file()
    for piece in prunable(sealed.root / "runs", keep_models=0, failed=False):
        remove(piece)
    checks = {check.what: check for check in verify_run(run.path, sealed.places)}
    assert not (run.path / "model").exists()
    assert checks["checkpoint"].verdict == "not checked"
    assert "changed" not in {check.verdict for check in checks.values()}

"""Run folders: names, claims, finding, verifying."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from harness.contract.status import RunStatus
from harness.contract.task import NamedHash
from harness.errors import ChangedError, HarnessError, UnknownNameError
from harness.records.provenance import collect_provenance
from harness.records.record import RunRecord, SubmissionCard, TaskReference
from harness.records.run_folder import (
    CLAIM,
    RUN_NAME,
    find_run,
    list_runs,
    new_run,
    open_run,
    run_name,
    seal_files,
    status_line,
    unreadable_runs,
    write_record,
)

WHEN = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
NAME = run_name(WHEN, "a" * 64, "ridge@low", "b" * 64)


@pytest.fixture(scope="session")
def provenance():
    return collect_provenance()


@pytest.fixture
def make_run(tmp_path, provenance):
    def make(name: str = NAME):
        with new_run(tmp_path, name) as (folder, final):
            (folder / "log.txt").write_text("log")
            (folder / "model").mkdir()
            (folder / "model" / "weights").write_text("w")
            record = RunRecord(
                run=final,
                attempt="x",
                status=RunStatus.FAILED,
                reason="because",
                submission=SubmissionCard(
                    name="ridge", version="1", title="t", variant=None, content_hash="c"
                ),
                task=TaskReference(name="d:s", hash="h", eval_split="val", seed=0),
                dataset=NamedHash(name="d", hash="e"),
                split=NamedHash(name="s", hash="a" * 64),
                genes_hash="g",
                config_hash="b" * 64,
                seed=0,
                runtime="process",
                isolation="process+limits",
                variance=None,
                started=WHEN.isoformat(),
                wall_s=1.0,
                step_s={},
                peak_rss_bytes=1,
                predictions_sha256=None,
                predictions_kept=False,
                provenance=provenance,
                files=seal_files(folder),
            )
            write_record(folder, record)
        return open_run(tmp_path / final)

    return make


def test_a_name_tells_time_split_submission_and_configuration():
    assert NAME == "20260102-030405_aaaaaaa_ridge@low_bbbbbbb"
    assert RUN_NAME.match(NAME)


def test_runs_of_one_name_get_numbers(make_run):
    assert [make_run().path.name for _ in range(3)] == [NAME, f"{NAME}-2", f"{NAME}-3"]


def test_a_failure_while_writing_leaves_nothing(tmp_path):
    def write_and_fail() -> None:
        with new_run(tmp_path, NAME) as (folder, _):
            (folder / "config.json").write_text("{}")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        write_and_fail()
    assert list(tmp_path.iterdir()) == []


def test_half_made_and_foreign_folders_are_passed_over(make_run, tmp_path):
    run = make_run()
    (tmp_path / f"{CLAIM}{NAME}-2").mkdir()
    (tmp_path / NAME.replace("ridge", "empty")).mkdir()
    (tmp_path / "notes").mkdir()
    assert [found.path for found in list_runs(tmp_path)] == [run.path]


def test_a_run_with_a_broken_record_is_named_and_hides_no_other(make_run, tmp_path):
    broken, whole = make_run(), make_run(NAME.replace("0102", "0103"))
    (broken.path / "record.json").write_text("{")
    assert [found.path for found in list_runs(tmp_path)] == [whole.path]
    (fault,) = unreadable_runs(tmp_path)
    assert str(broken.path) in str(fault)


def test_a_run_is_found_by_name_beginning_folder_and_last(make_run, tmp_path):
    first, second = make_run(), make_run(NAME.replace("0102", "0103"))
    assert find_run(tmp_path, NAME).path == first.path
    assert find_run(tmp_path, "20260103").path == second.path
    assert find_run(tmp_path, str(first.path)).path == first.path
    assert find_run(tmp_path, "last").path == second.path


def test_an_ambiguous_or_unknown_name_is_refused(make_run, tmp_path):
    make_run()
    make_run()
    with pytest.raises(HarnessError, match="names 2 runs"):
        find_run(tmp_path, "2026")
    with pytest.raises(UnknownNameError, match="ridge"):
        find_run(tmp_path, NAME.replace("ridge", "rigde"))


@pytest.mark.parametrize("file", ["log.txt", "model/weights"])
def test_a_changed_byte_is_found_with_both_hashes(make_run, file):
    run = make_run()
    (run.path / file).write_text("changed")
    with pytest.raises(ChangedError) as refusal:
        open_run(run.path, verify=True)
    assert refusal.value.expected == run.record.files[file]


def test_a_pruned_checkpoint_is_no_change(make_run):
    run = make_run()
    (run.path / "model" / "weights").unlink()
    (run.path / "model").rmdir()
    assert open_run(run.path, verify=True).record == run.record


def test_provenance_names_packages_machine_and_command(provenance):
    assert "numpy" in provenance.packages
    assert provenance.memory_bytes > 1 << 28
    assert provenance.command


def test_a_status_is_one_word_and_one_line():
    assert status_line(RunStatus.FAILED, "a\nb") == "failed\na b\n"

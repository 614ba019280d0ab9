"""`harness verify`, `harness seal` and `harness ledger` as a person uses them."""

from __future__ import annotations

import json
import shutil
import subprocess

import anndata
import numpy as np
import pytest

from harness.digest import file_hash
from harness.records.run_folder import open_run
from harness.records.seal import add_page

PAGE = "<html><body>wmse 0.0312</body></html>"


@pytest.fixture
def run(run_harness, project):
    return project / run_harness("submit", "zeros").stdout.strip().splitlines()[-1]


@pytest.fixture
def test_run(run_harness, run, project):
    """A run on test, after one on validation."""
    done = run_harness("submit", "zeros", "--eval-split", "test")
    assert done.returncode == 0, done.stderr
    return project / done.stdout.strip().splitlines()[-1]


def lines(project):
    path = project / "ledger.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def test_a_run_is_verified_and_scored_again_to_the_same_bits(run_harness, test_run, project):
    done = run_harness("verify", "last", "--rescore", "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    checks = json.loads(done.stdout)
    again = [check["said"] for check in checks if check["what"] == "metrics, scored again"]
    files = ("calibration.json", "metrics.json", "metrics.parquet", "pictures.json")
    assert sorted(again) == [f"{file}, bit for bit" for file in files]
    assert (lines(project)[-1]["purpose"], lines(project)[-1]["whose"]) == ("verify", "harness")


def test_numbers_that_are_sealed_but_not_those_of_the_predictions_are_found_by_scoring_again(
    run_harness, run, project
):
    from harness.records.run_folder import write_record
    from harness.records.seal import write_seal
    from harness.reporting.scorecard.write import write_scorecard

    metrics = run / "metrics.json"
    document = json.loads(metrics.read_text())
    document["calibrated"]["global"]["wmse"]["value"] *= 0.5
    metrics.write_text(json.dumps(document))
    record = open_run(run).record
    forged = record.model_copy(update={"files": {**record.files, "metrics.json": file_hash(metrics)}})
    write_record(run, forged)
    write_seal(run, forged)
    write_scorecard(open_run(run))
    assert run_harness("verify", run.name).returncode == 0
    done = run_harness("verify", run.name, "--rescore")
    assert done.returncode == 4
    assert "metrics, scored again" in done.stdout


def test_a_changed_byte_is_named_and_the_exit_code_is_4(run_harness, run):
    (run / "metrics.json").write_text((run / "metrics.json").read_text().replace("true", "false", 1))
    done = run_harness("verify", run.name)
    assert done.returncode == 4
    assert "metrics.json" in done.stdout
    assert "1 changed" in done.stdout


def test_a_page_is_verified_by_itself_and_with_its_run(run_harness, run, project):
    page = add_page(open_run(run), "scorecard.html", PAGE)
    elsewhere = project / "published.html"
    shutil.copy(page, elsewhere)
    for path in (page, elsewhere):
        assert run_harness("verify", str(path)).returncode == 0
    elsewhere.write_text(elsewhere.read_text().replace("0.0312", "0.0112"))
    done = run_harness("verify", str(elsewhere))
    assert done.returncode == 4
    assert "the page has changed since it was sealed" in done.stdout
    shutil.copy(page, elsewhere)
    shutil.rmtree(run)
    done = run_harness("verify", str(elsewhere))
    assert done.returncode == 0
    assert "is not here" in done.stdout


def test_a_seal_is_signed_and_the_signer_is_named(run_harness, run, project):
    for name in ("mine", "other"):
        made = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", str(project / name)]
        subprocess.run(made, check=True)
        key = (project / f"{name}.pub").read_text()
        (project / f"{name}.signers").write_text(f"{name}@lab {key}")
    unsigned = run_harness("verify", run.name, "--signers", "mine.signers")
    assert unsigned.returncode == 4
    assert "not signed" in unsigned.stdout
    assert run_harness("seal", run.name, "--sign", "mine").returncode == 0
    signed = run_harness("verify", run.name, "--signers", "mine.signers")
    assert signed.returncode == 0, signed.stdout
    assert "of mine@lab" in signed.stdout
    assert run_harness("verify", run.name, "--signers", "other.signers").returncode == 4
    (run / "seal.json").write_text((run / "seal.json").read_text() + "\n")
    assert run_harness("verify", run.name, "--signers", "mine.signers").returncode == 4


def test_a_signed_run_takes_no_new_page(run_harness, run, project):
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(project / "key")], check=True)
    run_harness("seal", run.name, "--sign", "key")
    with pytest.raises(Exception, match="signed"):
        add_page(open_run(run), "scorecard.html", PAGE)


def test_test_opens_after_validation_and_every_opening_has_its_line(run_harness, test_run, project):
    (entry,) = lines(project)
    record = json.loads((test_run / "record.json").read_text())
    assert entry["reason"].startswith("validation run ")
    assert entry["predictions_sha256"] == record["predictions_sha256"]
    assert entry["config_hash"] == record["config_hash"]
    assert entry["split_hash"] == record["split"]["hash"]
    assert entry["command"].startswith("harness submit zeros --eval-split test")
    assert record["look"] == {"number": 1, "hash": entry["hash"], "family_looks": 1, "split_looks": 1}
    commands = [
        ["score", "last"],
        ["score", "last", "--shards", "2", "--shard", "1", "--out", "parts"],
        ["rescore", test_run.name],
        ["eval", "predictions", "--preds", str(test_run / "predictions.npz"), "--task", "tiny:context_ood",
         "--eval-split", "test", "--out", "scores"],
        ["score", str(test_run / "predictions.npz"), "--task", "tiny:context_ood", "--eval-split", "test"],
        ["export", "cell-eval", test_run.name, "--out", "files"],
        ["parity", "export", test_run.name, "cases"],
        ["submit", "zeros", "--eval-split", "test", "--seed", "1"],
    ]  # fmt: skip
    for number, words in enumerate(commands, 2):
        done = run_harness(*words)
        assert done.returncode == 0, (words, done.stderr)
        assert len(lines(project)) == number, words
    told = [entry["purpose"] for entry in lines(project)]
    assert told == ["submit", "score", "score", "rescore", "eval", "score", "export", "export", "submit"]
    last = json.loads(
        (
            project / "runs" / sorted(p.name for p in (project / "runs").glob("2*"))[-1] / "record.json"
        ).read_text()
    )
    assert last["look"]["family_looks"] == 7
    assert last["look"]["split_looks"] == 9
    assert run_harness("ledger", "verify").returncode == 0
    assert (
        "look 7 of this submission at this split's test truth, 9 of all"
        in run_harness("runs", "show", "last").stdout
    )


def test_an_import_against_test_truth_has_its_line_even_where_it_is_refused(run_harness, project):
    cells = anndata.AnnData(np.zeros((1, 1), np.float32))
    cells.write_h5ad(project / "other.h5ad")
    words = ("import", "predictions", "other.h5ad", "--task", "tiny:context_ood", "--out", "predictions.npz")
    assert run_harness(*words).returncode == 3
    assert lines(project) == []
    assert run_harness(*words, "--eval-split", "test").returncode == 3
    (entry,) = lines(project)
    assert entry["purpose"] == "import"
    assert entry["predictions_sha256"] == file_hash(project / "other.h5ad")


def test_validation_is_free(run_harness, run, project):
    assert run_harness("rescore", "last").returncode == 0
    assert run_harness("export", "cell-eval", "last", "--out", "files").returncode == 0
    assert lines(project) == []
    assert "no test truth was opened" in run_harness("ledger", "show").stdout


@pytest.mark.parametrize(
    "words",
    [
        ["zeros"],
        ["zeros@high"],
        ["zeros", "--param", "level=2"],
    ],
)
def test_test_stays_shut_for_what_was_never_looked_at_on_validation(run_harness, project, words):
    if words != ["zeros"]:
        assert run_harness("submit", "zeros").returncode == 0
    done = run_harness("submit", *words, "--eval-split", "test")
    assert done.returncode == 3
    assert "looked at on validation" in done.stderr
    assert "--first-look" in done.stderr
    assert lines(project) == []


def test_a_submission_that_changed_after_validation_is_another_one(run_harness, run, project):
    path = project / "submissions" / "zeros" / "main.py"
    path.write_text(path.read_text() + "\n# tuned\n")
    assert run_harness("submit", "zeros", "--eval-split", "test").returncode == 3


def test_a_failed_validation_run_is_no_look(run_harness, project):
    path = project / "submissions" / "zeros" / "main.py"
    path.write_text("def submission(task): raise ValueError('oh')")
    assert run_harness("submit", "zeros").returncode == 12
    assert run_harness("submit", "zeros", "--eval-split", "test").returncode == 3


def test_a_first_look_keeps_its_reason(run_harness, project):
    words = ("submit", "zeros", "--eval-split", "test", "--first-look")
    assert run_harness(*words, " ").returncode == 3
    assert run_harness("submit", "zeros", "--first-look", "x").returncode == 3
    assert run_harness(*words, "a published model, nothing to choose").returncode == 0
    (entry,) = json.loads(run_harness("ledger", "show", "--submission", "zeros", "--json").stdout)
    assert entry["reason"] == "first look: a published model, nothing to choose"
    assert json.loads(run_harness("ledger", "show", "--submission", "other", "--json").stdout) == []
    assert run_harness(*words, "another seed", "--seed", "1").returncode == 0
    second = run_harness(*words, "a tuned one", "--param", "level=2")
    assert second.returncode == 3
    assert "no first look" in second.stderr


def test_a_run_on_test_that_ends_badly_opens_nothing(run_harness, project):
    path = project / "submissions" / "zeros" / "main.py"
    path.write_text("def submission(task): raise ValueError('oh')")
    assert run_harness("submit", "zeros", "--eval-split", "test", "--first-look", "why").returncode == 12
    assert lines(project) == []


def test_a_torn_ledger_stops_a_run_on_test_before_it_starts_until_it_is_mended(
    run_harness, test_run, project
):
    path = project / "ledger.jsonl"
    path.write_bytes(path.read_bytes()[:-9])
    n_runs = len(list((project / "runs").glob("2*")))
    done = run_harness("submit", "zeros", "--eval-split", "test")
    assert done.returncode == 4
    assert "torn" in done.stderr
    assert "harness ledger mend" in done.stderr
    for words in (["rescore", "last"], ["export", "cell-eval", "last", "--out", "files"]):
        assert run_harness(*words).returncode == 4, words
    assert not (project / "files").exists()
    assert len(list((project / "runs").glob("2*"))) == n_runs
    assert run_harness("ledger", "verify").returncode == 4
    assert run_harness("ledger", "mend").returncode == 0
    assert run_harness("submit", "zeros", "--eval-split", "test").returncode == 0
    told = json.loads(run_harness("ledger", "verify", "--json").stdout)
    assert [fault["where"] for fault in told["faults"]] == [str(test_run)]  # its line was the torn one
    assert "torn" in told["mended"][0]["reason"]


def test_the_ledger_lies_where_the_settings_say(run_harness, project):
    settings = project / "harness.toml"
    settings.write_text(settings.read_text() + 'ledger = "kept/looks.jsonl"\n')
    assert run_harness("submit", "zeros", "--eval-split", "test", "--first-look", "why").returncode == 0
    assert len((project / "kept" / "looks.jsonl").read_text().splitlines()) == 1
    assert not (project / "ledger.jsonl").exists()

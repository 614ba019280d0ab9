"""Every runtime tells the ways of ending apart in the same words."""

from __future__ import annotations

import signal

import numpy as np
import pytest

from harness.contract.faults import PredictionsRefused
from harness.contract.predictions import Expected, open_predictions
from harness.contract.status import RunStatus
from harness.scoring.evaluate import predictions_in

ENDINGS = {
    "ok": ("pass", RunStatus.OK, 0, "ended normally"),
    "exit code": ("print('the reason'); sys.exit(7)", RunStatus.FAILED, 7, "exit code 7: the reason"),
    "exit code 255": ("sys.exit(255)", RunStatus.FAILED, 255, "exit code 255"),
    "exception": ("raise ValueError('no such gene')", RunStatus.FAILED, 1, "ValueError: no such gene"),
    "missing package": ("sys.exit(69)", RunStatus.ENVIRONMENT, 69, "exit code 69"),
    "memory error": ("held = bytearray(1 << 60)", RunStatus.OUT_OF_MEMORY, 1, "MemoryError"),
}


@pytest.mark.parametrize("case", ENDINGS)
def test_an_ending_has_its_status_its_code_and_its_reason(run, case):
    code, status, exit_code, words = ENDINGS[case]
    outcome = run(code).outcome
    assert (outcome.status, outcome.exit_code) == (status, exit_code)
    assert words in outcome.detail


@pytest.mark.parametrize("number", [signal.SIGSEGV, signal.SIGABRT])
def test_a_signal_is_a_failure_that_names_it(run, number):
    outcome = run(f"import resource; os.kill(os.getpid(), {int(number)})").outcome
    assert outcome.status is RunStatus.FAILED
    assert outcome.signal == number or outcome.exit_code == 128 + number
    assert number.name in outcome.detail


def test_a_command_that_does_not_exist_is_the_environments_fault(run):
    outcome = run("pass", command=("no-such-program-anywhere",)).outcome
    assert outcome.status is RunStatus.ENVIRONMENT
    assert "no-such-program-anywhere" in outcome.detail


def test_a_run_without_output_ends_well_and_has_no_predictions(run):
    ran = run("pass")
    assert ran.outcome.status is RunStatus.OK
    assert predictions_in(ran.job.output) is None


def test_output_that_is_no_predictions_is_refused_with_a_reason(run):
    ran = run("open(OUTPUT + '/predictions.npz', 'wb').write(b'PK no archive')")
    assert ran.outcome.status is RunStatus.OK
    found = predictions_in(ran.job.output)
    assert found is not None
    with pytest.raises(PredictionsRefused):
        open_predictions(found, Expected(2, 2, ["A", "B"], var_required=False))


def test_numbers_that_it_writes_are_the_numbers_that_are_read(run):
    ran = run("""
        import numpy as np
        told = open(TASK + "/private.txt").read()
        assert told == "for the submission alone"
        np.save(OUTPUT + "/mean.npy", np.arange(4, dtype=np.float32))
        """)
    assert ran.outcome.status is RunStatus.OK, ran.log
    assert np.array_equal(np.load(ran.job.output / "mean.npy"), np.arange(4, dtype=np.float32))


def test_it_is_told_its_places_seed_and_parameters_and_nothing_else_of_the_caller(run, monkeypatch):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "SECRET")
    monkeypatch.setenv("PYTHONPATH", "/somewhere")
    told = run("""
        import sys
        tell({"environment": dict(os.environ), "words": sys.argv[1:], "token": TOKEN, "where": os.getcwd(),
              "main": os.path.exists("main.py"), "home": os.access(os.environ["HOME"], os.W_OK)})
        """).told
    environment = told["environment"]
    assert "SECRET" not in str(environment)
    assert environment["HARNESS_SEED"] == "7"
    assert told["words"] == [
        "--task",
        environment["HARNESS_TASK"],
        "--output",
        environment["HARNESS_OUTPUT"],
    ]
    assert told["main"]
    assert told["home"]


def test_progress_reaches_the_harness(run):
    ran = run("""
        with open(OUTPUT + "/progress.jsonl", "w") as out:
            out.write('{"step": 1, "of": 2, "message": "epoch"}\\n')
        """)
    assert (ran.job.output / "progress.jsonl").read_text().startswith('{"step": 1')

"""What may go from a runs folder, and what must stay."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from harness.records.run_folder import list_runs, open_run
from harness.schedulers.execution import STEPS
from harness.schedulers.prune import prunable, remove
from harness.schedulers.submit import plan_run, submit

WITH_MODEL = """
import os
from pathlib import Path
import numpy as np
from harness.sdk import Predictions
def submission(task):
    folder = Path(os.environ["HARNESS_OUTPUT"], "model")
    folder.mkdir()
    (folder / "weights").write_bytes(b"w" * 1000)
    return Predictions(np.zeros(task.query.X.shape, np.float32))
"""


def test_a_tidy_folder_has_nothing_to_remove(request_for):
    request = request_for()
    submit(plan_run(request))
    assert prunable(request.runs, keep_models=5, failed=True) == []


def test_older_checkpoints_go_and_the_run_stays_whole(request_for):
    request = request_for(WITH_MODEL)
    runs = [submit(plan_run(request)) for _ in range(2)]
    pieces = prunable(request.runs, keep_models=1, failed=False)
    assert [piece.path for piece in pieces] == [runs[0].path / "model"]
    remove(pieces[0])
    assert len(list_runs(request.runs)) == 2
    open_run(runs[0].path, verify=True)


def test_unscored_runs_go_only_when_asked(request_for):
    request = request_for("def submission(task): raise SystemExit(1)")
    run = submit(plan_run(request))
    assert prunable(request.runs, keep_models=5, failed=False) == []
    (piece,) = prunable(request.runs, keep_models=5, failed=True)
    remove(piece)
    assert list_runs(request.runs) == []
    assert not run.path.exists()


def test_what_a_killed_process_left_goes_and_what_a_living_one_holds_stays(tmp_path):
    runs = tmp_path / "runs"
    code = f"""
import os, sys
from pathlib import Path
from harness.storage import new_folder
with new_folder(Path({str(runs)!r}) / "name", kind="run") as folder:
    (folder / "half").write_text("x")
    print("ready", flush=True)
    if sys.argv[1] == "die":
        os._exit(9)
    sys.stdin.read()
"""
    living = subprocess.Popen(
        [sys.executable, "-c", code, "wait"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert living.stdout is not None
    living.stdout.readline()
    subprocess.run([sys.executable, "-c", code, "die"], check=False)
    (piece,) = prunable(runs, keep_models=5, failed=False)
    assert "killed" in piece.why
    remove(piece)
    assert [entry.name for entry in runs.iterdir()] != []
    living.communicate()


@pytest.mark.parametrize("name", ["0" * 16, "0" * 16 + "-abcdef12"])
def test_a_step_that_no_process_works_on_goes(tmp_path, name):
    step = tmp_path / STEPS / name
    step.mkdir(parents=True)
    (step / "output").write_bytes(os.urandom(10))
    assert [piece.path for piece in prunable(tmp_path, keep_models=5, failed=False)] == [step]

"""From a submission to a run folder, for each way that a run can end."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from types import SimpleNamespace

import numpy as np
import pyarrow.parquet as pq
import pytest

from harness.contract.predictions import PREDICTIONS_FILE
from harness.contract.status import RunStatus
from harness.digest import file_hash
from harness.errors import ChangedError, HarnessError, UnknownNameError
from harness.records.run_folder import RUN_NAME, list_runs, open_run
from harness.records.seal import read_seal
from harness.schedulers.execution import make_plain
from harness.schedulers.submit import plan_run, submit
from harness.tasks.build import build_task


def end(request):
    return submit(plan_run(request))


def test_a_good_run_leaves_a_whole_folder(request_for, tiny, tiny_split):
    run = end(request_for())
    record = run.record
    assert record.status is RunStatus.OK
    assert record.status.exit_code == 0
    assert RUN_NAME.match(run.path.name)
    assert run.path.name.split("_")[1:] == [tiny_split.frozen_hash[:7], "small", record.config_hash[:7]]
    assert (run.path / "split_hash.txt").read_text() == tiny_split.frozen_hash + "\n"
    assert record.dataset.hash == tiny.data_hash
    assert record.isolation in ("sandbox", "process+limits")
    assert record.peak_rss_bytes > 0
    names = {path.name for path in run.path.iterdir()}
    assert names == {
        "config.json", "split_hash.txt", "predictions.npz", "metrics.json", "calibration.json", "metrics.parquet",
        "record.json", "seal.json", "log.txt", "status", "pictures.json",
        "scorecard.html", "scorecard.md", "scorecard.json", "report.html",
    }  # fmt: skip
    assert {file: file_hash(run.path / file) for file in record.files} == record.files
    pages = set(read_seal(run.path).pages)
    assert set(record.files) == names - {"record.json", "seal.json"} - pages
    assert pages == {"scorecard.html", "scorecard.md", "scorecard.json", "report.html"}


def test_predicting_no_effect_has_the_error_of_the_effects_themselves(
    request_for, tiny, tiny_split, task_cache
):
    metrics = end(request_for()).metrics()
    from harness.tasks.truth import load_truth

    truth = load_truth(build_task(tiny, tiny_split, "val", cache=task_cache))
    by_context: dict[str, list[float]] = {}
    for i in truth.of_kind("reported"):
        targets = tiny.meta.perturbations[truth.conditions[i].condition.pert]
        genes = [g for g, gene in enumerate(tiny.genes) if gene not in targets]
        error = np.mean(truth.delta(tiny, i, reference=0)[genes] ** 2)
        by_context.setdefault(truth.conditions[i].condition.context, []).append(error)
    expected = np.mean([np.mean(errors) for errors in by_context.values()])
    assert metrics["calibrated"]["global"]["mse"]["value"] == pytest.approx(expected, rel=1e-12)


def test_a_correlation_that_does_not_exist_is_null_with_its_reason(request_for):
    summary = end(request_for()).metrics()["calibrated"]["global"]["pcc_delta"]
    assert summary["value"] is None
    assert summary["n"] == 0
    assert "constant" in summary["reason"]


def test_every_panel_is_there_and_whole(request_for):
    run = end(request_for())
    metrics = run.metrics()
    assert metrics["panels"] == [
        "scperturbench",
        "perturbench",
        "celleval",
        "calibrated",
        "collapse",
        "uncertainty",
    ]
    assert metrics["missing"] == []
    assert metrics["complete"] is True
    calibration = json.loads((run.path / "calibration.json").read_text())
    assert calibration["uncertainty"] == metrics["uncertainty"]


def test_a_metric_without_value_and_reason_makes_a_run_incomplete(request_for, monkeypatch):
    from harness.scoring import document

    monkeypatch.setattr(document, "missing_metrics", lambda _: ["calibrated.wmse"])
    run = end(request_for())
    assert run.record.status is RunStatus.INCOMPLETE
    assert run.record.status.exit_code == 16
    assert "calibrated.wmse" in run.record.reason
    assert (run.path / "metrics.json").is_file()


def test_the_same_inputs_give_byte_identical_metrics_in_two_folders(request_for):
    first, second = end(request_for()), end(request_for())
    assert first.path != second.path
    assert (first.path / "metrics.json").read_bytes() == (second.path / "metrics.json").read_bytes()
    assert (first.path / "config.json").read_bytes() == (second.path / "config.json").read_bytes()


def test_the_configuration_tells_passed_from_defaulted_parameters(request_for):
    run = end(request_for(params={"epochs": 3, "rate": 0.5}, passed={"epochs": 4}))
    config = json.loads((run.path / "config.json").read_text())
    assert config["params"] == {"passed": {"epochs": 4}, "defaulted": {"rate": 0.5}, "variant": {}}


def test_another_seed_parameter_or_code_is_another_configuration(request_for):
    plans = [
        plan_run(request_for(params={"a": 1})),
        plan_run(request_for(params={"a": 1}, seed=1)),
        plan_run(request_for(params={"a": 1}, passed={"a": 2})),
        plan_run(request_for("def submission(task): ...", params={"a": 1})),
    ]
    assert len({plan.config.config_hash for plan in plans}) == 4


def test_the_long_table_holds_every_level(request_for):
    run = end(request_for())
    table = pq.read_table(run.path / "metrics.parquet").to_pandas()
    assert set(table["run"]) == {run.path.name}
    assert set(table["level"]) == {"global", "context", "perturbation", "condition"}
    reported = table[(table["subset"] == "reported") & (table["metric"] == "wmse")]
    document = run.metrics()["calibrated"]
    assert reported[reported["level"] == "global"]["value"].item() == document["global"]["wmse"]["value"]
    assert (reported["level"] == "context").sum() == len(document["per_context"])
    assert (reported["level"] == "perturbation").sum() == len(document["per_perturbation"])


def test_a_missing_variance_is_filled_and_named_so(request_for):
    code = """
    import numpy as np
    from harness.sdk import Predictions
    def submission(task):
        return Predictions(np.zeros(task.query.X.shape, np.float32))
    """
    run = end(request_for(code, claims={"uncertainty": "none"}))
    assert run.record.variance == "filled"
    metrics = run.metrics()
    assert metrics["variance"] == {"source": "filled", "kind": "observed"}
    assert 0.5 < metrics["uncertainty"]["global"]["coverage_90"]["value"] <= 1


def test_discarded_predictions_leave_their_hash(request_for):
    kept, gone = end(request_for()), end(request_for(discard_predictions=True))
    assert gone.record.predictions_sha256 == kept.record.files[PREDICTIONS_FILE]
    assert not (gone.path / PREDICTIONS_FILE).exists()
    assert not gone.record.predictions_kept


def test_a_checkpoint_and_diagnostics_are_kept_but_no_links(request_for):
    code = """
    import json, os
    from pathlib import Path
    import numpy as np
    from harness.sdk import Predictions
    def submission(task):
        out = Path(os.environ["HARNESS_OUTPUT"])
        (out / "model").mkdir()
        (out / "model" / "weights.bin").write_bytes(b"w")
        (out / "model" / "stolen").symlink_to("/etc/hostname")
        (out / "diagnostics.json").write_text(json.dumps({"gate": 0.5}))
        return Predictions(np.zeros(task.query.X.shape, np.float32))
    """
    run = end(request_for(code))
    assert [path.name for path in (run.path / "model").iterdir()] == ["weights.bin"]
    assert json.loads((run.path / "diagnostics.json").read_text()) == {"gate": 0.5}


@pytest.mark.parametrize(
    ("claims", "reason"),
    [
        ({"unseen_contexts": False}, "contexts without labelled cells"),
        ({"inputs": ["expression", "graph"]}, "'graph'"),
        ({"inputs": ["X_scgpt"]}, "'X_scgpt'"),
    ],
)
def test_a_task_outside_the_claims_is_declined_before_anything_starts(request_for, tmp_path, claims, reason):
    run = end(request_for("raise SystemExit('was started')", claims=claims, task_cache=tmp_path / "none"))
    assert run.record.status is RunStatus.DECLINED
    assert reason in run.record.reason
    assert not (tmp_path / "none").exists()
    assert run.metrics() is None
    assert "declined" in (run.path / "status").read_text()


def test_predictions_that_break_the_contract_are_invalid_with_every_fault(request_for):
    code = """
    import os
    import numpy as np
    def submission(task):
        shape = task.query.X.shape
        mean = np.full((shape[0], shape[1] - 1), 0, np.float32)
        np.savez(os.environ["HARNESS_OUTPUT"] + "/predictions.npz", mean=mean, idx=np.zeros(shape[0], np.int64))
        os._exit(0)
    """
    run = end(request_for(code))
    assert run.record.status is RunStatus.INVALID
    assert "another number of genes" in run.record.reason
    assert "idx" in run.record.reason
    assert (run.path / PREDICTIONS_FILE).exists()


def test_a_run_without_output_is_invalid(request_for):
    run = end(request_for("import os\ndef submission(task): os._exit(0)"))
    assert run.record.status is RunStatus.INVALID
    assert "no predictions" in run.record.reason


def test_predictions_by_link_are_no_output(request_for):
    code = """
    import os
    def submission(task):
        os.symlink("/etc/hostname", os.environ["HARNESS_OUTPUT"] + "/predictions.npz")
        os._exit(0)
    """
    assert end(request_for(code)).record.status is RunStatus.INVALID


def test_pipes_sockets_and_locked_folders_in_the_output_stop_nobody(request_for):
    code = """
    import os, socket
    import numpy as np
    from harness.sdk import Predictions
    def submission(task):
        out = os.environ["HARNESS_OUTPUT"]
        os.mkfifo(out + "/diagnostics.json")
        os.chdir(out)
        socket.socket(socket.AF_UNIX).bind("socket")
        os.makedirs("model/locked")
        open("model/locked/weights", "w").close()
        os.mkfifo("model/pipe")
        os.chmod("model/locked/weights", 0)
        os.chmod("model/locked", 0)
        return Predictions(np.zeros(task.query.X.shape, np.float32))
    """
    run = end(request_for(code))
    assert run.record.status is RunStatus.OK
    assert [str(p.relative_to(run.path)) for p in run.path.rglob("model/**/*") if p.is_file()] == [
        "model/locked/weights"
    ]
    assert not (run.path / "diagnostics.json").exists()


def test_predictions_that_have_another_name_elsewhere_become_the_runs_own(unconfined, request_for, tmp_path):
    cache = tmp_path / "cache.npz"
    code = f"""
    import os
    import numpy as np
    def submission(task):
        shape = task.query.X.shape
        one = np.ones(shape, np.float32)
        np.savez({str(cache)!r}, mean=one, var=one, idx=np.arange(shape[0]))
        os.link({str(cache)!r}, os.environ["HARNESS_OUTPUT"] + "/predictions.npz")
        os._exit(0)
    """
    run = end(request_for(code))
    assert run.record.status is RunStatus.OK
    cache.write_bytes(b"another run")
    assert open_run(run.path, verify=True).record == run.record


def test_a_file_that_somebody_still_writes_to_is_replaced_by_a_copy(tmp_path):
    (tmp_path / "predictions.npz").write_bytes(b"whole")
    with (tmp_path / "predictions.npz").open("r+b") as late:
        make_plain(tmp_path)
        late.truncate(0)
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("predictions.npz", b"whole")]


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells who writes to a file")
def test_a_file_that_is_the_runs_own_is_not_copied(tmp_path):
    path = tmp_path / "predictions.npz"
    path.write_bytes(b"whole")
    before = path.stat().st_ino
    make_plain(tmp_path)
    assert path.stat().st_ino == before


def test_a_variance_that_was_claimed_and_is_missing_is_invalid(request_for):
    code = """
    import os
    import numpy as np
    def submission(task):
        shape = task.query.X.shape
        np.savez(os.environ["HARNESS_OUTPUT"] + "/predictions.npz",
                 mean=np.zeros(shape, np.float32), idx=np.arange(shape[0]))
        os._exit(0)
    """
    run = end(request_for(code, claims={"uncertainty": "native"}))
    assert run.record.status is RunStatus.INVALID
    assert "var" in run.record.reason


@pytest.mark.parametrize(
    ("code", "limits", "status"),
    [
        ("def submission(task): raise SystemExit(5)", {}, RunStatus.FAILED),
        ("def submission(task): raise KeyError('gene')", {}, RunStatus.FAILED),
        ("import os\ndef submission(task): os.abort()", {}, RunStatus.FAILED),
        ("import no_such_package_at_all", {}, RunStatus.ENVIRONMENT),
        ("import time\ndef submission(task): time.sleep(60)", {"time": "00:00:01"}, RunStatus.TIMEOUT),
        ("def submission(task): return bytearray(1 << 60)", {}, RunStatus.OUT_OF_MEMORY),
        (
            "import numpy as np, time\ndef submission(task): x = np.ones(1 << 27); time.sleep(60)",
            {"memory": "500M"},
            RunStatus.OUT_OF_MEMORY,
        ),
    ],
)
def test_a_run_that_ends_badly_leaves_a_folder_with_its_reason(request_for, code, limits, status):
    run = end(request_for(code, **limits))
    assert run.record.status is status
    assert run.record.reason
    assert (run.path / "status").read_text().splitlines()[0] == status
    assert run.metrics() is None
    assert open_run(run.path, verify=True).record == run.record


def test_an_interrupted_run_says_so_and_a_re_run_completes(unconfined, request_for, tmp_path):
    code = """
    import os, time
    from pathlib import Path
    import numpy as np
    from harness.sdk import Predictions
    def submission(task):
        flag = Path(FLAG)
        if not flag.exists():
            flag.touch()
            time.sleep(60)
        return Predictions(np.zeros(task.query.X.shape, np.float32))
    """.replace("FLAG", repr(str(tmp_path / "flag")))

    def press() -> None:
        while not (tmp_path / "flag").exists():
            time.sleep(0.02)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=press, daemon=True).start()
    run = end(request_for(code))
    assert run.record.status is RunStatus.INTERRUPTED
    assert run.record.status.exit_code == 130
    assert end(request_for(code)).record.status is RunStatus.OK


COUNTED = """
import os
import numpy as np
from harness.sdk import Predictions
def submission(task):
    with open(COUNT, "a") as count:
        count.write("x")
    return Predictions(np.zeros(task.query.X.shape, np.float32))
"""


def test_a_harness_that_dies_after_the_run_goes_on_from_there(unconfined, request_for, tmp_path, monkeypatch):
    count = tmp_path / "count"
    request = request_for(COUNTED.replace("COUNT", repr(str(count))))
    with monkeypatch.context() as patch:

        def die(*_args, **_more):
            raise RuntimeError("killed while scoring")

        patch.setattr("harness.schedulers.submit.evaluate", die)
        with pytest.raises(RuntimeError):
            end(request)
    assert list_runs(request.runs) == []
    run = end(request)
    assert run.record.status is RunStatus.OK
    assert count.read_text() == "x"


def test_a_result_that_stands_in_a_run_already_is_never_used_twice(
    unconfined, request_for, tmp_path, monkeypatch
):
    count = tmp_path / "count"
    request = request_for(COUNTED.replace("COUNT", repr(str(count))))
    with monkeypatch.context() as patch:

        def die(*_args, **_more):
            raise RuntimeError("killed after the run folder appeared")

        patch.setattr("harness.schedulers.execution.shutil", SimpleNamespace(rmtree=die))
        with pytest.raises(RuntimeError):
            end(request)
    assert len(list_runs(request.runs)) == 1
    end(request)
    assert len(list_runs(request.runs)) == 2
    assert count.read_text() == "xx"


def test_two_runs_of_one_configuration_at_once_do_not_collide(request_for):
    request = request_for()
    ended: list[RunStatus] = []
    threads = [threading.Thread(target=lambda: ended.append(end(request).record.status)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert ended == [RunStatus.OK] * 3
    assert len({run.path.name for run in list_runs(request.runs)}) == 3


def test_a_task_that_changed_in_the_cache_is_refused(request_for, tmp_path):
    request = request_for(task_cache=tmp_path / "own-cache")
    end(request)
    victim = next((tmp_path / "own-cache").glob("*/task/query/X.npy"))
    victim.chmod(0o644)
    content = bytearray(victim.read_bytes())
    content[-1] ^= 1
    victim.write_bytes(content)
    with pytest.raises(ChangedError):
        end(request)


REWRITES_THE_TRUTH = """
    import os
    from pathlib import Path
    import numpy as np
    from harness.sdk import Predictions

    def submission(task):
        truth = Path(os.environ["HARNESS_TASK"]).parent / "sealed" / "truth.json"
        truth.chmod(0o644)
        truth.write_text(truth.read_text().replace("reported", "calib"))
        return Predictions(np.zeros(task.query.X.shape, np.float32), np.ones(task.query.X.shape, np.float32))
"""


def test_a_submission_that_rewrites_the_sealed_truth_is_held(unconfined, request_for, tmp_path):
    run = end(request_for(REWRITES_THE_TRUTH, task_cache=tmp_path / "own-cache"))
    assert run.record.status is RunStatus.HELD
    assert "truth.json" in run.record.reason
    assert run.metrics() is None


def test_an_unknown_parameter_or_variant_is_refused_with_the_nearest(request_for):
    with pytest.raises(UnknownNameError, match="epochs"):
        plan_run(request_for(params={"epochs": 1}, passed={"epoch": 2}))
    with pytest.raises(UnknownNameError, match="variant"):
        plan_run(request_for(variant="nope"))


def test_strict_isolation_is_refused_before_anything_starts(unconfined, request_for, tmp_path):
    with pytest.raises(HarnessError, match="strict"):
        plan_run(request_for(isolation="strict"))
    assert not (tmp_path / "runs").exists()

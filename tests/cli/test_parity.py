"""`harness parity`: whole folders, what is off is named and ends with 1, a run becomes cases."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

PARITY = Path(__file__).parents[1] / "parity"
PANELS = {"scperturbench": 9, "perturbench": 8, "celleval": 5, "splits": 2}


def folder_of(panel: str) -> Path:
    """The public cases of a panel; splits came with those of perturbench."""
    return PARITY / ("perturbench" if panel == "splits" and not (PARITY / panel).is_dir() else panel)


@pytest.mark.parametrize("panel", PANELS)
def test_all_public_cases_of_a_panel_are_green_in_one_call(run_harness, panel):
    done = run_harness("parity", str(folder_of(panel)), "--panel", panel, "--json")
    report = json.loads(done.stdout)
    assert (done.returncode, report["ok"], report["misses"]) == (0, True, [])
    assert report["cases"] == PANELS[panel]
    assert sum(line["compared"] for line in report["metrics"]) > 10
    assert all(line["worst"] <= line["tolerance"] for line in report["metrics"])


@pytest.fixture
def one_case(tmp_path):
    """A folder with a copy of one small case under another name, whose document can be edited."""

    def copy(panel, stem, edit=lambda document: None, name="other"):
        folder = tmp_path / "cases"
        folder.mkdir(exist_ok=True)
        for path in folder_of(panel).glob(f"{stem}.*"):
            shutil.copy(path, folder / path.name.replace(stem, name, 1))
        path = folder / f"{name}.json"
        document = json.loads(path.read_text())
        edit(document)
        path.write_text(json.dumps(document))
        return folder

    return copy


def test_a_folder_of_other_cases_needs_no_panel_and_no_verb(run_harness, one_case):
    done = run_harness("parity", str(one_case("scperturbench", "p03_small_tiny_groups")))
    assert done.returncode == 0
    assert "1 cases" in done.stdout
    assert "energy_distance" in done.stdout
    assert run_harness("parity", "check", str(one_case("scperturbench", "p01_small_basic"))).returncode == 0


def raise_mse(document):
    document["groups"][0]["gene_sets"]["all"]["expected"]["float64"]["mse"] *= 1.001


def raise_rmse(document):
    row = document["expected"]["v2026"]["average"]["metrics"]["rmse"]["per_perturbation"]
    row[min(row)] *= 1.001


def raise_overlap(document):
    row = document["expected"]["per_perturbation"]
    row[min(row)]["overlap_at_N"] += 0.001


@pytest.mark.parametrize(
    ("panel", "stem", "edit", "metric"),
    [
        ("scperturbench", "p01_small_basic", raise_mse, "mse"),
        ("perturbench", "few_perts_one_covariate", raise_rmse, "v2026/average/rmse"),
        ("celleval", "p4_all_identical", raise_overlap, "overlap_at_N"),
    ],
)
def test_a_changed_expected_value_is_a_miss_with_exit_code_1(
    run_harness, one_case, panel, stem, edit, metric
):
    folder = one_case(panel, stem, edit)
    done = run_harness("parity", str(folder), "--panel", panel, "--json")
    report = json.loads(done.stdout)
    assert (done.returncode, report["ok"]) == (1, False)
    assert {(miss["case"], miss["metric"]) for miss in report["misses"]} == {("other", metric)}
    said = run_harness("parity", str(folder), "--panel", panel)
    assert said.returncode == 1
    assert f"missed: other, {metric}" in said.stdout


def test_a_miss_in_one_case_is_not_hidden_by_another_that_is_exact(run_harness, one_case):
    one_case("scperturbench", "p03_small_tiny_groups", name="exact")
    folder = one_case("scperturbench", "p01_small_basic", raise_mse, name="wrong")
    report = json.loads(run_harness("parity", str(folder), "--json").stdout)
    line = next(line for line in report["metrics"] if line["metric"] == "mse")
    assert (line["ok"], line["worst_case"], line["cases"]) == (False, "wrong", 2)


def test_optional_fields_may_be_missing(run_harness, one_case):
    def strip(document):
        for key in ("purpose", "versions", "parameters", "arrays"):
            document.pop(key, None)
        for group in document["groups"]:
            group.pop("note")
            for wanted in group["gene_sets"].values():
                for key in (
                    "sinkhorn",
                    "extra_metrics",
                    "common_degs_inferred",
                    "upstream_reported_4dp_float32",
                ):
                    wanted.pop(key, None)

    assert run_harness("parity", str(one_case("scperturbench", "p01_small_basic", strip))).returncode == 0


def test_a_folder_without_cases_is_refused_and_not_a_success(run_harness, tmp_path):
    (tmp_path / "notes.txt").write_text("nothing here")
    done = run_harness("parity", str(tmp_path), "--panel", "celleval")
    assert done.returncode == 3
    assert "holds no case of panel celleval" in done.stderr
    missing = run_harness("parity", str(tmp_path / "none"), "--panel", "celleval")
    assert missing.returncode == 3


def test_the_folder_above_the_cases_is_answered_with_the_folder_itself(run_harness, one_case):
    folder = one_case("celleval", "p4_all_identical")
    done = run_harness("parity", str(folder.parent), "--panel", "celleval")
    assert done.returncode == 3
    assert "name the folder itself" in done.stderr


def test_a_case_whose_arrays_are_lost_is_a_miss_and_the_others_are_still_checked(run_harness, one_case):
    one_case("scperturbench", "p03_small_tiny_groups", name="whole")
    folder = one_case("scperturbench", "p01_small_basic", name="broken")
    (folder / "broken.npz").unlink()
    done = run_harness("parity", str(folder), "--json")
    report = json.loads(done.stdout)
    assert done.returncode == 1
    assert [miss["case"] for miss in report["misses"]] == ["broken"]
    assert report["cases"] == 2


@pytest.mark.parametrize(
    ("panel", "stem"), [("splits", "split_transfer_one_covariate"), ("celleval", "p4_all_identical")]
)
def test_cases_are_known_by_what_they_hold_and_not_by_their_names(run_harness, one_case, panel, stem):
    one_case(
        "splits" if panel == "celleval" else "celleval",
        "p4_all_identical" if panel == "splits" else "split_transfer_one_covariate",
        name="stranger",
    )
    report = json.loads(run_harness("parity", str(one_case(panel, stem)), "--panel", panel, "--json").stdout)
    assert (report["ok"], report["cases"]) == (True, 1)


def test_a_column_case_without_its_cells_is_a_miss_and_not_passed_over(run_harness, one_case):
    folder = one_case("celleval", "p4_all_identical")
    (folder / "other.npz").unlink()
    assert run_harness("parity", str(folder), "--panel", "celleval").returncode == 1


def test_a_case_that_compares_nothing_is_a_miss(run_harness, one_case):
    def empty(document):
        document["groups"] = []

    done = run_harness("parity", str(one_case("scperturbench", "p01_small_basic", empty)), "--json")
    assert done.returncode == 1
    assert json.loads(done.stdout)["misses"][0]["note"] == "nothing could be compared"


def test_documents_of_several_panels_need_the_panel_to_be_named(run_harness, one_case):
    one_case("celleval", "p4_all_identical", name="a")
    folder = one_case("scperturbench", "p01_small_basic", name="b")
    done = run_harness("parity", str(folder))
    assert done.returncode == 3
    assert "celleval, scperturbench" in done.stderr


@pytest.fixture
def finished_run(run_harness):
    """A run of the project's submission; returns a function that exports it."""
    assert run_harness("submit", "submissions/zeros").returncode == 0

    def export(panel, out):
        done = run_harness("parity", "export", "last", str(out), "--panel", panel, "--json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return export


@pytest.mark.parametrize("panel", ["scperturbench", "perturbench", "celleval"])
def test_a_run_is_written_as_cases_and_compared_with_what_a_program_printed(
    run_harness, finished_run, tmp_path, panel
):
    out = tmp_path / "exported"
    told = finished_run(panel, out)
    assert told["cases"] == [path.stem for path in sorted(out.glob("*.json"))]
    assert told["conditions"] > 1
    case = told["cases"][0]
    document = json.loads((out / f"{case}.json").read_text())
    arrays = np.load(out / f"{case}.npz")
    assert document["panel"] == panel
    assert len(arrays["X_true"]) == told["observed_cells"]
    mine = arrays["labels_true" if panel == "celleval" else "true_perturbation"]
    theirs = arrays["labels_pred" if panel == "celleval" else "pred_perturbation"]
    label = str(mine[0])
    gap = arrays["X_true"][mine == label].mean(0, dtype=float) - arrays["X_pred"][theirs == label].mean(
        0, dtype=float
    )
    metric, value = {
        "scperturbench": ("mse_all", float((gap**2).mean())),
        "perturbench": ("rmse_average", float((gap**2).mean() ** 0.5)),
        "celleval": ("mse", float((gap**2).mean())),
    }[panel]
    condition = f"{document['context']}/{label}"
    assert condition in document["conditions"]
    reference = tmp_path / "reference.json"

    def compare(expected):
        printed = {"program": "by hand", "cases": {case: {condition: {metric: expected}}}}
        reference.write_text(json.dumps(printed))
        return run_harness("parity", "compare", str(out), str(reference)).returncode

    assert compare(value) == 0
    assert compare(value + 1e-5) == 1
    assert compare(None) == 1


def test_reference_values_of_unknown_metrics_are_refused_with_the_nearest(run_harness, one_case, tmp_path):
    folder = one_case("scperturbench", "p01_small_basic")
    reference = tmp_path / "reference.json"
    printed = {"cases": {"other": {"ctx0/PERT0": {"mse_al": 0.1}}}}
    reference.write_text(json.dumps(printed))
    done = run_harness("parity", "compare", str(folder), str(reference))
    assert done.returncode == 5
    assert "mse_all" in done.stderr
    reference.write_text('{"cases": {}}')
    assert run_harness("parity", "compare", str(folder), str(reference)).returncode == 3

"""`harness splits`: what a person types, what is printed, what is refused."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from harness.cli.names.splits import complete_regime, complete_split
from harness.cli.splits import app
from harness.errors import ChangedError, ExistsError, HarnessError, UnknownNameError

Run = Callable[..., Result]


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from harness.datasets.synthetic import make_preset

    return make_preset("demo", tmp_path_factory.mktemp("data") / "demo")


@pytest.fixture
def project(demo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty project whose data folder holds the demo."""
    for variable in ("HARNESS_RUN_DIR", "HARNESS_SPLIT_DIR", "PERTURBFM_SPLIT_DIR"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("HARNESS_DATA_DIR", str(demo.parent))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def run(project: Path) -> Run:
    def call(*arguments: object) -> Result:
        return CliRunner().invoke(app, [str(argument) for argument in arguments])

    return call


@pytest.fixture
def said(run: Run) -> Callable[..., Any]:
    def call(*arguments: object) -> Any:
        result = run(*arguments, "--json")
        assert result.exit_code == 0, result.output
        return json.loads(result.output)

    return call


CREATE = ("create", "--data", "demo", "--spec", "context_ood", "--holdout-context", "C0")


def refusal(result: Result, kind: type[HarnessError]) -> HarnessError:
    assert isinstance(result.exception, kind), result.output
    return result.exception


def test_creating_a_split_prints_its_hash_and_the_second_call_finds_the_same(run: Run, project: Path) -> None:
    first, second = run(*CREATE), run(*CREATE)
    assert first.exit_code == second.exit_code == 0
    frozen, task, state = first.output.splitlines()[0].split()
    assert (project / "splits" / f"{frozen}.json").is_file()
    assert (task, state) == ("demo:context_ood", "new")
    assert second.output.splitlines()[0].split() == [frozen, task, "exists"]


def test_the_commands_of_the_readme_work_in_a_shell(project: Path) -> None:
    env = {**os.environ, "COLUMNS": "100"}
    lines = [
        "data make-synth --preset demo --out D",
        "splits create --data D --spec context_ood --holdout-context C0",
    ]
    for line in lines:
        argv = [sys.executable, "-m", "harness.cli.main", *line.split()]
        done = subprocess.run(argv, cwd=project, env=env, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr
    assert len(done.stdout.split()[0]) == 64


def test_a_dry_run_writes_nothing(run: Run, project: Path) -> None:
    result = run(*CREATE, "--dry-run")
    assert "dry run" in result.output
    assert not (project / "splits").exists()


def test_the_split_folder_of_the_environment_is_used(
    run: Run, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HARNESS_SPLIT_DIR", str(project / "elsewhere"))
    assert run(*CREATE).exit_code == 0
    assert (project / "elsewhere" / "index.toml").is_file()
    assert not (project / "splits").exists()


def test_parameters_of_the_regime_are_given_as_key_and_value(said: Callable[..., Any]) -> None:
    told = ["--param", "unseen_fraction=0", "--param", "iid-conditions=3"]
    made = said("create", "--data", "demo", "--spec", "combo", *told)
    shown = said("show", made["hash"][:10])
    assert shown["params"]["unseen_fraction"] == 0
    assert shown["params"]["iid_conditions"] == 3


def test_a_family_of_splits_is_made_at_once(said: Callable[..., Any]) -> None:
    made = said("create", "--data", "demo", "--spec", "loco")
    assert [facts["task"] for facts in made] == [f"demo:loco-C{i}" for i in range(6)]


def test_a_taken_name_is_refused_and_another_name_is_the_way_out(run: Run) -> None:
    run(*CREATE)
    other = (*CREATE[:-1], "C1")
    assert "--name" in str(refusal(run(*other), ExistsError))
    assert run(*other, "--name", "c1").exit_code == 0


def test_an_unknown_context_is_refused_with_the_nearest(run: Run) -> None:
    error = refusal(run(*CREATE[:-1], "CO"), UnknownNameError)
    assert "did you mean 'C0'" in str(error) or "C0, C1" in str(error)


def test_an_option_that_the_regime_does_not_have_is_refused(run: Run) -> None:
    result = run("create", "--data", "demo", "--spec", "iid", "--holdout-context", "C0")
    assert "unknown parameter 'holdout_context'" in str(refusal(result, UnknownNameError))


def test_show_counts_contexts_by_role(run: Run, said: Callable[..., Any]) -> None:
    run(*CREATE)
    facts = said("show", "demo:context_ood")
    assert facts["ood_axes"] == ["context"]
    assert facts["contexts"]["C0"]["train"] == 0
    assert facts["contexts"]["C0"]["test"] > 0
    assert facts["conditions"]["test"] >= 40
    table = run("show", "demo:context_ood").output
    assert "Perturbed cells by context" in table


def test_list_names_each_split_with_its_alias(run: Run, said: Callable[..., Any]) -> None:
    assert "none yet" in run("list").output
    run(*CREATE, "--alias", "default")
    (entry,) = said("list")
    assert (entry["dataset"], entry["name"], entry["aliases"]) == ("demo", "context_ood", ["default"])
    assert said("show", "default")["hash"] == entry["hash"]


def test_verify_checks_content_and_leaks(run: Run, said: Callable[..., Any], project: Path) -> None:
    run(*CREATE)
    assert said("verify", "--all")[0]["leaks"] == "none"
    (path,) = (project / "splits").glob("*.json")
    path.write_bytes(path.read_bytes().replace(b"train", b"trbin", 1))
    error = refusal(run("verify", "demo:context_ood"), ChangedError)
    assert (error.where, error.expected) == (str(path), path.stem)


def test_verify_says_when_the_dataset_is_not_here(
    run: Run, said: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    run(*CREATE)
    monkeypatch.setenv("HARNESS_DATA_DIR", "nowhere")
    assert said("verify", "demo:context_ood")[0]["leaks"].startswith("not checked")


def test_diff_names_what_moves(said: Callable[..., Any], run: Run) -> None:
    run("create", "--data", "demo", "--spec", "loco")
    facts = said("diff", "demo:loco-C0", "demo:loco-C1")
    assert facts["fields"]["params"][0]["holdout_context"] == ["C0"]
    assert facts["moves"]["test → train"] > 0
    assert said("diff", "demo:loco-C0", "demo:loco-C0")["same"]


@pytest.mark.parametrize("form", ["perturbench", "state-toml"])
def test_an_exported_split_is_imported_again(run: Run, said: Callable[..., Any], form: str) -> None:
    said(*CREATE, "--param", "iid_conditions=0")
    out = "split.csv" if form == "perturbench" else "split.toml"
    fold = () if form == "perturbench" else ("--calib-as", "val")
    done = run("export", "demo:context_ood", "--data", "demo", "--format", form, *fold, "--out", out)
    assert done.exit_code == 0, done.exception
    verb = "import-perturbench" if form == "perturbench" else "import-toml"
    made = said(verb, out, "--data", "demo", "--name", "back")
    shown = said("diff", "demo:context_ood", made["task"])
    assert set(shown["moves"]) <= {"calib → val"}


def test_an_export_does_not_overwrite(run: Run, project: Path) -> None:
    run(*CREATE)
    (project / "kept.csv").write_text("mine")
    result = run("export", "demo:context_ood", "--data", "demo", "--out", "kept.csv")
    refusal(result, ExistsError)
    assert (project / "kept.csv").read_text() == "mine"


def test_regimes_are_listed_with_their_parameters(said: Callable[..., Any]) -> None:
    assert {"context_ood", "combo", "scaling"} <= {facts["name"] for facts in said("regimes")}
    assert said("regimes", "context_ood")["parameters"]["calib_fraction"] == 0.3


def test_completion_knows_regimes_and_splits(run: Run) -> None:
    run(*CREATE, "--alias", "default")
    assert complete_regime("context") == ["context_ood"]
    assert complete_split("demo:") == ["demo:context_ood"]
    assert complete_split("def") == ["default"]


@pytest.mark.parametrize("command", app.registered_commands, ids=lambda command: command.name)
def test_every_verb_has_an_example(command: Any) -> None:
    assert "Example: `harness splits " in (command.callback.__doc__ or "")

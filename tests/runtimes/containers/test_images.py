"""Images: found by name or digest, built from what a submission is, listed, and removed when nothing needs them."""

from __future__ import annotations

import json
import shutil
import subprocess
import uuid
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from harness.cli.image import app
from harness.conformance.suite import check_submission
from harness.conformance.tiny import TinyTask, tiny_tasks
from harness.contract.content import recipe_path, submission_hash
from harness.contract.manifest import load_manifest
from harness.contract.status import RunStatus
from harness.errors import HarnessError
from harness.runtimes.containers.build import build, plan_recipe, plan_submission
from harness.runtimes.containers.engine import Engine, find_engine
from harness.runtimes.containers.images import BASE, CONTENT, base_image, find_image
from harness.runtimes.containers.inventory import inventory, prunable, remove
from harness.runtimes.containers.runtime import EngineRuntime
from harness.runtimes.containers.sif import Sif, all_sifs, find_sif

ROOT = Path(__file__).parents[3]
ENGINES = [pytest.param(name, marks=getattr(pytest.mark, name)) for name in ("docker", "podman")]
RUNTIMES = [
    pytest.param("process", marks=pytest.mark.bwrap),
    *ENGINES,
    pytest.param("apptainer", marks=pytest.mark.apptainer),
]
RECIPE = """
ARG BASE=python:3.11-slim
FROM ${BASE}
WORKDIR /opt/own
COPY main.py .
RUN python3 -c "print('built')"
ENTRYPOINT ["python3", "main.py"]
"""
MANIFEST = """
schema = 1
name = "{name}"
version = "1"
title = "built"
authors = ["a"]
license = "MIT"
[run]
build = "Containerfile"
"""


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest) -> Engine:
    return find_engine(request.param)


@pytest.fixture
def built(tmp_path: Path, engine: Engine) -> Iterator[Path]:
    """A submission folder with an image of its own; what was built of it is removed."""
    folder = tmp_path / "own"
    folder.mkdir()
    name = f"t-{uuid.uuid4().hex[:8]}"
    (folder / "submission.toml").write_text(MANIFEST.format(name=name))
    (folder / "Containerfile").write_text(RECIPE)
    (folder / "main.py").write_text("import sys; print(sys.argv[1:]); print(open('/task/inside.txt').read())")
    yield folder
    with engine.client() as client:
        for one in client.images(filters={"label": CONTENT}):
            for tag in one["RepoTags"] or []:
                if f"/{name}:" in tag:
                    client.remove_image(tag, force=True)


@pytest.fixture(scope="session")
def tiny_task(tmp_path_factory: pytest.TempPathFactory) -> TinyTask:
    return tiny_tasks(tmp_path_factory.mktemp("tiny"))[0]


def test_a_submission_with_an_image_runs_only_as_it_was_built(built, engine, container_job):
    job = replace(container_job(""), manifest=load_manifest(built), folder=built)
    runtime = EngineRuntime(engine.runtime)
    before = runtime.run(job)
    assert before.status is RunStatus.ENVIRONMENT
    assert f"harness image build {built} --engine {engine.runtime}" in before.detail

    heard: list[str] = []
    made = build(plan_submission(built, {}), engine.runtime, heard.append)
    assert any("built" in line for line in heard)
    found = find_image(engine, made.name)
    assert found is not None
    assert found.labels[CONTENT] == submission_hash(built, load_manifest(built))
    outcome = runtime.run(job)
    assert outcome.status is RunStatus.OK, outcome.detail
    assert job.log.read_text().splitlines() == [
        "['--task', '/task', '--output', '/output']",
        "of the task",
    ]

    (built / "main.py").write_text("print('changed')")
    changed = runtime.run(job)
    assert changed.status is RunStatus.ENVIRONMENT, "an image of the old content is not taken for the new"


def test_what_nothing_needs_is_listed_and_removed_and_bases_stay(built, engine):
    name = build(plan_submission(built, {}), engine.runtime).name
    held, _ = inventory()
    assert name in {one.name for one in held if one.engine == engine.runtime}
    manifest = load_manifest(built)
    mine = [one for one in prunable(set()) if f"/{manifest.name}:" in one.name]
    assert [(one.engine, one.name) for one in mine] == [(engine.runtime, name)]
    assert not [one for one in prunable({name}) if one.name == name]
    assert not [one for one in prunable(set()) if one.name.startswith(BASE)]
    remove(mine[0])
    assert find_image(engine, name) is None


def test_images_of_another_project_on_the_same_engine_are_left_alone(built, engine, monkeypatch, tmp_path):
    name = build(plan_submission(built, {}), engine.runtime).name
    monkeypatch.chdir(tmp_path)
    (tmp_path / "harness.toml").write_text("")
    assert name not in {one.name for one in prunable(set())}


def test_a_place_that_an_image_declares_as_its_volume_is_small_and_private(built, engine, container_job):
    """An engine would make a folder for it on its own disk, without any limit."""
    (built / "Containerfile").write_text(RECIPE.replace("COPY", "RUN mkdir -m 777 /wide\nVOLUME /wide\nCOPY"))
    (built / "main.py").write_text(
        "for place in ('/wide', '/tmp', '/var/tmp'):\n"
        "    size = 0\n"
        "    try:\n"
        "        for i in range(200):\n"
        "            size += open(f'{place}/{i}', 'wb').write(b'x' * (1 << 20))\n"
        "    except OSError as error:\n"
        "        print(place, error)\n"
    )
    build(plan_submission(built, {}), engine.runtime)
    job = container_job("")
    job = replace(
        job, manifest=load_manifest(built), folder=built, limits=replace(job.limits, tmp_bytes=8 << 20)
    )
    outcome = EngineRuntime(engine.runtime).run(job)
    assert outcome.status is RunStatus.OK, outcome.detail
    assert job.log.read_text().count("No space left on device") == 3, job.log.read_text()


def test_a_definition_file_of_a_submission_is_built_only_where_it_is_trusted(tmp_path):
    """Its steps run commands on this machine, and copy what they like of it."""
    folder = tmp_path / "own"
    folder.mkdir()
    recipe = MANIFEST.format(name="own").replace("Containerfile", "own.def")
    (folder / "submission.toml").write_text(recipe)
    (folder / "own.def").write_text("Bootstrap: scratch\n%setup\n    touch /tmp/reached\n")
    with pytest.raises(HarnessError) as refusal:
        plan_submission(folder, {})
    assert "--trust" in str(refusal.value.mend)
    assert plan_submission(folder, {}, trusted=True).recipe == folder / "own.def"
    told = CliRunner().invoke(app, ["build", str(folder), "--dry-run"])
    assert isinstance(told.exception, HarnessError)
    assert CliRunner().invoke(app, ["build", str(folder), "--dry-run", "--trust"]).exit_code == 0


def test_a_step_that_fails_is_told_with_its_words(built, engine):
    (built / "Containerfile").write_text(RECIPE + '\nRUN echo "no such library" && exit 3\n')
    with pytest.raises(HarnessError) as refusal:
        build(plan_submission(built, {}), engine.runtime)
    assert "no such library" in str(refusal.value)
    assert "--online" in str(refusal.value.mend)


def test_the_base_images_build_on_any_image_with_python(engine):
    name = f"perturbfm-t{uuid.uuid4().hex[:8]}"
    try:
        for recipe, arguments in (("base", {}), ("base-cuda", {"PACKAGES": "numpy"})):
            plan = plan_recipe(ROOT / f"containers/{recipe}.Containerfile", name, {"BASE": BASE, **arguments})
            made = build(plan, engine.runtime)
            assert find_image(engine, made.name) is not None
    finally:
        with engine.client() as client:
            client.remove_image(name, force=True)


@pytest.mark.apptainer
@pytest.mark.parametrize("recipe", ["base", "base-cuda"])
def test_the_definition_files_build_on_any_image_file(tmp_path, monkeypatch, base_sif, recipe):
    monkeypatch.setenv("HARNESS_DATA_DIR", str(tmp_path / "data"))
    arguments = {"BOOTSTRAP": "localimage", "BASE": str(base_sif.path), "PACKAGES": "numpy"}
    plan = plan_recipe(ROOT / f"containers/{recipe}.def", "perturbfm-test", arguments)
    made = build(plan, "apptainer")
    found = find_sif("perturbfm-test")
    assert isinstance(found, Sif)
    assert found.path == made.path
    said = subprocess.run(
        ["apptainer", "exec", "--containall", str(made.path), "python3", "-c", "import numpy; print('here')"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert said.stdout.strip() == "here"
    assert build(plan, "apptainer").path == made.path, "the same content is built once"
    assert len(all_sifs()) == 1


def test_a_path_to_an_image_file_stands_for_itself(tmp_path):
    file = tmp_path / "own.sif"
    assert find_sif(str(file)) is None
    file.write_bytes(b"sif")
    found = find_sif(str(file))
    assert found is not None
    assert found.path == file


def test_the_recipe_lies_in_the_submission_or_above_it_and_belongs_to_its_content(tmp_path):
    folder = tmp_path / "submissions" / "mine"
    folder.mkdir(parents=True)
    (folder / "submission.toml").write_text(
        MANIFEST.format(name="mine").replace("Containerfile", "containers/mine.Containerfile")
    )
    manifest = load_manifest(folder)
    with pytest.raises(HarnessError, match="is not there"):
        submission_hash(folder, manifest)
    recipe = tmp_path / "containers" / "mine.Containerfile"
    recipe.parent.mkdir()
    recipe.write_text("FROM one\n")
    assert recipe_path(folder, "containers/mine.Containerfile") == recipe
    first = submission_hash(folder, manifest)
    recipe.write_text("FROM two\n")
    assert submission_hash(folder, manifest) != first


def test_an_argument_that_the_file_does_not_know_is_refused(tmp_path):
    recipe = tmp_path / "x.Containerfile"
    recipe.write_text("ARG BASE=a\nFROM ${BASE}\n")
    assert plan_recipe(recipe, None, {"BASE": "b"}).arguments == {"BASE": "b"}
    assert plan_recipe(recipe, None, {}).name == "perturbfm-x"
    with pytest.raises(HarnessError, match="knows no argument 'BAES'"):
        plan_recipe(recipe, None, {"BAES": "b"})


def test_the_base_image_can_be_another(monkeypatch):
    monkeypatch.delenv("HARNESS_BASE_IMAGE", raising=False)
    assert base_image() == BASE
    monkeypatch.setenv("HARNESS_BASE_IMAGE", "own")
    assert base_image() == "own"


def test_a_dry_run_says_what_it_would_build_and_asks_no_engine(monkeypatch):
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere.sock")
    words = [
        "build",
        str(ROOT / "containers/base.Containerfile"),
        "--engine",
        "docker",
        "--dry-run",
        "--json",
    ]
    said = CliRunner().invoke(app, words)
    assert said.exit_code == 0, said.output
    told = json.loads(said.output)
    assert (told["name"], told["engine"], told["built"]) == (base_image(), "docker", False)


@pytest.mark.docker
def test_the_list_names_engines_that_do_not_answer(monkeypatch, tmp_path):
    monkeypatch.setenv("CONTAINER_HOST", f"unix://{tmp_path}/none.sock")
    monkeypatch.setenv("HARNESS_DATA_DIR", str(tmp_path))
    said = CliRunner().invoke(app, ["list", "--json"])
    assert said.exit_code == 0, said.output
    assert "podman" in json.loads(said.output)["silent"]


@pytest.fixture(scope="session")
def in_c(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The submission in C, compiled."""
    if shutil.which("cc") is None or shutil.which("make") is None:
        pytest.skip("there is no C compiler here")
    folder = tmp_path_factory.mktemp("c") / "in_c"
    shutil.copytree(ROOT / "submissions/in_c", folder, ignore=shutil.ignore_patterns("predict"))
    subprocess.run(["make", "--quiet"], cwd=folder, check=True)
    return folder


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_a_program_in_c_keeps_the_contract_in_every_runtime(in_c, tiny_task, runtime, request):
    if runtime == "apptainer":
        request.getfixturevalue("base_sif")
    report = check_submission(in_c, runtime=runtime, tasks=[tiny_task])
    assert report.conforms, report.checks
    assert "runs on unseen contexts" in {check.name for check in report.checks if check.verdict == "pass"}


def test_a_program_in_c_agrees_with_its_formula(in_c, handmade_task, tmp_path):
    """Known perturbations get their mean shift, sums stand for combinations, the rest gets the mean of all."""
    import numpy as np

    from harness.sdk import load_task

    known = [("c1", "G1"), ("c1", "G2"), ("c2", "G1"), ("c2", "G4")]
    folder = handmade_task(known, [("c2", "G2"), ("c1", "G1+G4"), ("c1", "drug"), ("c1", "G1+G9")])
    out = tmp_path / "out"
    out.mkdir()
    subprocess.run([in_c / "predict", "--task", folder, "--output", out], check=True)
    task = load_task(folder)
    delta, perts = task.train_delta(), task.train.obs["pert_id"][task.perturbed_rows]
    mean = {name: delta[perts == name].mean(axis=0) for name in ("G1", "G2", "G4")}
    overall = delta.mean(axis=0)
    wanted = {
        "G2": mean["G2"],
        "G1+G4": mean["G1"] + mean["G4"],
        "drug": overall,
        "G1+G9": mean["G1"] + overall,
    }
    got = np.load(out / "predictions" / "mean.npy")
    for row, pert in enumerate(task.query.obs["pert_id"]):
        np.testing.assert_allclose(got[row], wanted[pert], atol=1e-5)
    assert np.array_equal(np.load(out / "predictions" / "idx.npy"), task.query.obs["row"])

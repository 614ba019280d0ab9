"""`harness data`: what a person types, what is printed, what is refused and with which exit code."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anndata
import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from typer.testing import CliRunner, Result

from harness.cli.data import app
from harness.datasets.cards import load_card
from harness.datasets.dataset import open_dataset
from harness.errors import HarnessError

Run = Callable[..., Result]


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project folder with the preset `tiny` in its data folder."""
    from harness.datasets.synthetic import make_preset

    project = tmp_path_factory.mktemp("template")
    make_preset("tiny", project / "data" / "tiny")
    return project


@pytest.fixture
def project(template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A fresh copy of the project, as the working folder."""
    for variable in ("HARNESS_MIRROR", "HARNESS_DATA_DIR", "HARNESS_SPLIT_DIR", "PERTURBFM_SPLIT_DIR"):
        monkeypatch.delenv(variable, raising=False)
    project = shutil.copytree(template, tmp_path / "project")
    monkeypatch.chdir(project)
    return project


@pytest.fixture
def run(project: Path) -> Run:
    runner = CliRunner()

    def call(*arguments: str | Path) -> Result:
        return runner.invoke(app, [str(argument) for argument in arguments])

    return call


def answer(result: Result) -> Any:
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def refusal(result: Result) -> HarnessError:
    assert isinstance(result.exception, HarnessError), result.output
    return result.exception


@pytest.fixture
def h5ad(project: Path) -> Path:
    """A small file of counts with column names of its own."""
    rng = np.random.default_rng(7)
    n = 160
    frame = pd.DataFrame(
        {
            "guide": np.where(np.arange(n) % 2 == 0, "NT", np.where(np.arange(n) % 4 == 1, "GATA1", "KLF1")),
            "line": np.where(np.arange(n) < 80, "K562", "RPE1"),
            "lane": [f"lane{i % 3}" for i in range(n)],
            "donor": [f"d{i % 5}" for i in range(n)],
        },
        index=[f"cell{i}" for i in range(n)],
    )
    counts = sparse.csr_matrix(rng.poisson(1.0, (n, 6)).astype(np.float32) + np.eye(6, dtype=np.float32)[0])
    genes = pd.DataFrame(index=["GATA1", "KLF1", "A", "B", "C", "D"])
    path = project / "screen.h5ad"
    anndata.AnnData(X=counts, obs=frame, var=genes).write_h5ad(path)
    return path


COLUMNS = (
    "--pert-column",
    "guide",
    "--context-column",
    "line",
    "--batch-column",
    "lane",
    "--control-label",
    "NT",
)


def test_a_file_is_imported_by_naming_its_columns(run: Run, h5ad: Path, project: Path) -> None:
    result = run("import", h5ad, *COLUMNS, "--covariate", "donor", "--option", "target_sum=1000")
    assert result.exit_code == 0, result.output
    dataset = open_dataset(project / "data" / "screen")
    assert dataset.obs.pert.levels == ("GATA1", "KLF1", "control")
    assert dataset.obs.context.levels == ("K562", "RPE1")
    assert list(dataset.obs.covariates) == ["donor"]
    assert np.allclose(np.expm1(dataset.X).sum(axis=1), 1000, rtol=1e-3)
    assert dataset.data_hash in result.stdout


def test_a_dry_run_says_the_plan_and_makes_nothing(run: Run, h5ad: Path, project: Path) -> None:
    result = run("import", h5ad, *COLUMNS, "--dry-run")
    assert result.exit_code == 0, result.output
    assert "pert_column" in result.stdout
    assert not (project / "data" / "screen").exists()


def test_a_missing_column_is_refused_with_the_columns_there_are(run: Run, h5ad: Path, project: Path) -> None:
    error = refusal(
        run("import", h5ad, *COLUMNS[:2], "--context-column", "cell_line", "--control-label", "NT")
    )
    assert error.code == 3
    assert "cell_line" in str(error)
    assert "line" in str(error)
    assert not (project / "data" / "screen").exists()


def test_a_file_that_is_no_h5ad_is_refused(run: Run, project: Path) -> None:
    (project / "bad.h5ad").write_text("not HDF5")
    assert "not a readable HDF5" in str(refusal(run("import", "bad.h5ad", "--pert-column", "p")))


def test_a_source_that_is_not_there_is_refused(run: Run) -> None:
    assert "source not found" in str(refusal(run("import", "nowhere.h5ad")))


def test_an_option_the_importer_does_not_take_is_refused_with_the_nearest(run: Run, h5ad: Path) -> None:
    error = refusal(run("import", h5ad, "--option", "top_hgv=3"))
    assert error.code == 5
    assert "top_hvg" in str(error.mend)


def test_an_option_without_a_value_is_refused(run: Run, h5ad: Path) -> None:
    assert "KEY=VALUE" in str(refusal(run("import", h5ad, "--option", "top_hvg")))


def test_an_existing_dataset_is_never_written_over(run: Run, h5ad: Path, project: Path) -> None:
    before = open_dataset(project / "data" / "tiny").data_hash
    assert refusal(run("import", h5ad, *COLUMNS, "--out", "data/tiny")).code == 6
    assert open_dataset(project / "data" / "tiny").data_hash == before


def test_import_without_a_source_or_a_card_is_a_usage_error(run: Run) -> None:
    assert run("import").exit_code == 2


def test_an_unknown_card_is_refused_with_the_nearest(run: Run) -> None:
    error = refusal(run("import", "--card", "kang18_pmbc_ifnb"))
    assert error.code == 5
    assert "kang18_pbmc_ifnb" in str(error.mend)


def test_a_card_leaves_no_columns_to_be_told(run: Run) -> None:
    error = refusal(run("import", "--card", "kang18_pbmc_ifnb", "--pert-column", "x"))
    assert "pert_column" in str(error.got)


def test_a_card_whose_file_is_not_here_says_how_to_get_it(run: Run) -> None:
    error = refusal(run("import", "--card", "kang18_pbmc_ifnb"))
    assert "--mirror DIR" in str(error.mend)


def test_import_downloads_nothing(run: Run) -> None:
    error = refusal(run("import", "--card", "kang18_pbmc_ifnb", "--mirror", "http://127.0.0.1:9/data"))
    assert "downloads nothing" in str(error)
    assert "harness data fetch" in str(error.mend)


def test_a_mirror_without_the_file_says_what_it_has(run: Run, project: Path) -> None:
    (project / "mirror").mkdir()
    (project / "mirror" / "other.h5ad").touch()
    error = refusal(run("import", "--card", "kang18_pbmc_ifnb", "--mirror", "mirror"))
    assert "other.h5ad" in str(error.got)
    assert error.expected == "kang18_pbmc_ifnb.h5ad"


def test_another_file_under_the_name_of_a_card_is_refused_with_both_hashes(run: Run, h5ad: Path) -> None:
    error = refusal(run("import", "--card", "kang18_pbmc_ifnb", "--source", h5ad))
    assert error.code == 4
    assert load_card("kang18_pbmc_ifnb").sha256 in str(error.expected)


def own_card(h5ad: Path, cells: int) -> Path:
    """A card of one's own for the small file."""
    import hashlib

    content = h5ad.read_bytes()
    path = h5ad.with_name("mine.toml")
    path.write_text(
        f"""
name = "mine"
title = "A screen of my own"
file = "{h5ad.name}"
bytes = {len(content)}
sha256 = "{hashlib.sha256(content).hexdigest()}"
prepared = "made by a test"
license = "CC0-1.0"
citation = "none"
[options]
pert_column = "guide"
context_column = "line"
control_label = "NT"
[expect]
cells = {cells}
genes = 6
perturbations = 2
contexts = 2
controls = 80
"""
    )
    return path


def test_a_card_of_your_own_is_fetched_from_a_mirror_and_imported(
    run: Run, h5ad: Path, project: Path
) -> None:
    card = own_card(h5ad, cells=160)
    assert run("fetch", card, "--mirror", project).exit_code == 0
    assert (project / "data" / ".downloads" / h5ad.name).read_bytes() == h5ad.read_bytes()
    assert run("import", "--card", card).exit_code == 0
    meta = open_dataset(project / "data" / "mine").meta
    assert (meta.name, meta.title, meta.source.card) == ("mine", "A screen of my own", "mine")


def test_a_dataset_that_does_not_hold_what_its_card_says_never_appears(
    run: Run, h5ad: Path, project: Path
) -> None:
    error = refusal(run("import", "--card", own_card(h5ad, cells=161), "--source", h5ad))
    assert (error.got, error.expected) == ("160 cells", "161 cells")
    assert sorted(entry.name for entry in (project / "data").iterdir()) == ["tiny", "tiny.graphs"]


def test_fetch_without_a_mirror_says_that_it_needs_one(run: Run) -> None:
    assert "needs --mirror" in str(refusal(run("fetch", "papalexi21_thp1_eccite")))


def test_list_names_datasets_and_cards(run: Run) -> None:
    listed = answer(run("list", "--json"))
    assert [entry["name"] for entry in listed["datasets"]] == ["tiny"]
    assert "kang18_pbmc_ifnb" in [card["name"] for card in listed["cards"]]
    assert "tiny" in run("list").stdout


def test_list_shows_a_dataset_whose_card_is_broken_as_refused(run: Run, project: Path) -> None:
    (project / "data" / "tiny" / "meta.json").write_text("{")
    (entry,) = answer(run("list", "--json"))["datasets"]
    assert "refused" in entry["rows"]


def test_describe_tells_contexts_pools_and_perturbed_genes(run: Run, project: Path) -> None:
    facts = answer(run("describe", "tiny", "--json"))["dataset"]
    dataset = open_dataset(project / "data" / "tiny")
    assert set(facts["contexts"]) == set(dataset.obs.context.levels)
    for context in facts["contexts"].values():
        assert sum(context["pools"].values()) == context["controls"] == 48
        assert context["mode"] == "three-pool"
    assert sum(context["conditions"] for context in facts["contexts"].values()) == facts["conditions"]
    assert facts["counts"]["cells"] == dataset.n_obs
    assert facts["perturbed_genes"]["share"] == 1.0
    assert dataset.data_hash in re.sub(r"[^0-9a-f]", "", run("describe", "tiny").stdout)


def test_describe_tells_the_caveats_of_a_card(run: Run) -> None:
    facts = answer(run("describe", "kang18_pbmc_scgen", "--json"))
    assert facts["dataset"] is None
    assert any("labels leak" in caveat for caveat in facts["card"]["caveats"])


def test_describe_of_nothing_known_names_the_nearest(run: Run) -> None:
    error = refusal(run("describe", "tinny"))
    assert error.code == 5
    assert "tiny" in str(error.mend)


def test_verify_of_a_sound_dataset_says_so(run: Run) -> None:
    result = run("verify", "tiny")
    assert result.exit_code == 0
    assert "as it was frozen" in result.stdout
    assert list(answer(run("verify", "tiny", "--json")).values()) == [[]]


def test_verify_lists_every_fault_with_file_found_and_expected(run: Run, project: Path) -> None:
    folder = project / "data" / "tiny"
    expected = {name: card.sha256 for name, card in open_dataset(folder).meta.arrays.items()}
    for name in ("X.npy", "control.npy"):
        content = bytearray((folder / name).read_bytes())
        content[-1] ^= 1
        (folder / name).write_bytes(content)
    (folder / "counts.npy").unlink()
    result = run("verify", "tiny", "--json")
    assert result.exit_code == 4
    (found,) = json.loads(result.stdout).values()
    by_file = {Path(fault["where"]).name: fault for fault in found}
    assert sorted(by_file) == ["X.npy", "control.npy", "counts.npy"]
    assert by_file["X.npy"]["expected"] == expected["X.npy"]
    assert by_file["X.npy"]["got"] != expected["X.npy"]
    assert "X.npy" in run("verify", "tiny").stderr


def test_verify_finds_a_row_table_that_was_written_anew_with_another_value(run: Run, project: Path) -> None:
    """The card is forged to fit the file's bytes, so only the hash of the table's values can tell."""
    import pyarrow.parquet as pq

    from harness.datasets.meta import meta_hash
    from harness.digest import file_hash
    from harness.storage import write_json

    folder = project / "data" / "tiny"
    table = pq.read_table(folder / "obs.parquet")
    pool = table["control_pool"].to_numpy().copy()
    pool[np.flatnonzero(pool == 1)[0]] = 2
    position = table.column_names.index("control_pool")
    pq.write_table(table.set_column(position, "control_pool", [pool]), folder / "obs.parquet")
    document = json.loads((folder / "meta.json").read_text())
    document["obs"]["file_sha256"] = file_hash(folder / "obs.parquet")
    document["meta_hash"] = meta_hash(document)
    write_json(folder / "meta.json", document)
    result = run("verify", "tiny", "--json")
    assert result.exit_code == 4
    (((fault,)),) = json.loads(result.stdout).values()
    assert fault["expected"] == document["obs"]["content_sha256"]


@pytest.mark.parametrize("verb", [("describe", "tiny"), ("export", "tiny", "--out", "x")])
def test_a_changed_byte_is_refused_by_every_verb_that_reads(
    verb: tuple[str, ...], run: Run, project: Path
) -> None:
    path = project / "data" / "tiny" / "X.npy"
    content = bytearray(path.read_bytes())
    content[-2] ^= 4
    path.write_bytes(content)
    assert refusal(run(*verb)).code == 4


@pytest.mark.parametrize("form", ["simple", "h5ad", "obs-csv"])
def test_a_dataset_is_exported(form: str, run: Run, project: Path) -> None:
    assert run("export", "tiny", "--format", form, "--out", "exported").exit_code == 0
    assert (project / "exported").exists()


def test_an_unknown_export_format_is_refused(run: Run) -> None:
    assert refusal(run("export", "tiny", "--format", "h5", "--out", "x")).code == 5


def test_an_exported_h5ad_comes_back_with_the_same_values(run: Run, project: Path) -> None:
    run("export", "tiny", "--format", "h5ad", "--out", "tiny.h5ad")
    result = run("import", "tiny.h5ad", "--name", "again", "--option", "layer=counts", "--values", "counts")
    assert result.exit_code == 0, result.output
    before, after = (open_dataset(project / "data" / name) for name in ("tiny", "again"))
    np.testing.assert_array_equal(before.counts, after.counts)
    assert before.obs.pert.names().tolist() == after.obs.pert.names().tolist()
    assert before.genes == after.genes


def test_a_screen_of_your_own_measures_is_made(run: Run, project: Path) -> None:
    told = ("--n-genes", "80", "--n-contexts", "3", "--n-perts", "6", "--n-doubles", "2", "--n-obs", "900")
    assert run("make-synth", *told, "--option", "controls=40", "--out", "data/mine").exit_code == 0
    dataset = open_dataset(project / "data" / "mine")
    assert (len(dataset.genes), len(dataset.obs.context.levels)) == (80, 3)
    assert len(dataset.obs.pert.levels) == 6 + 2 + 1
    assert 700 < dataset.n_obs < 1100
    assert (project / "data" / "mine.graphs").is_dir()


def test_a_preset_is_the_same_every_time_and_another_with_another_seed(run: Run, project: Path) -> None:
    for name, seed in (("one", "0"), ("two", "1")):
        assert run("make-synth", "--preset", "tiny", "--seed", seed, "--out", f"data/{name}").exit_code == 0
    tiny, one, two = (open_dataset(project / "data" / name).data_hash for name in ("tiny", "one", "two"))
    assert tiny == one != two


def test_a_preset_leaves_no_measures_to_be_told(run: Run) -> None:
    assert "n_genes" in str(refusal(run("make-synth", "--preset", "tiny", "--n-genes", "9")).got)


def test_an_unknown_preset_is_refused_with_the_nearest(run: Run) -> None:
    assert "tiny" in str(refusal(run("make-synth", "--preset", "tinny")).mend)


def test_the_specification_of_a_dry_run_makes_the_same_screen(run: Run, project: Path) -> None:
    spec = answer(run("make-synth", "--preset", "tiny", "--dry-run"))
    assert spec["n_genes"] == len(open_dataset(project / "data" / "tiny").genes)


def test_completion_knows_datasets_and_cards(project: Path) -> None:
    from harness.cli.names.datasets import complete_dataset, complete_dataset_or_card, complete_importer

    assert complete_dataset("") == ["tiny"]
    assert complete_dataset_or_card("kang18_pbmc_i") == ["kang18_pbmc_ifnb"]
    assert "h5ad" in complete_importer("h")


def test_help_of_every_verb_ends_with_an_example_that_names_it() -> None:
    for command in app.registered_commands:
        assert f"`harness data {command.name}" in str(command.callback.__doc__).rsplit("Example:", 1)[-1]


EXAMPLES = [
    example
    for command in app.registered_commands
    for example in re.findall(r"Example: `harness data (.+)`", str(command.callback.__doc__))
    if "--mirror DIR" not in example  # those run with the real datasets
]


@pytest.fixture
def example_project(run: Run, h5ad: Path, project: Path) -> Path:
    """A project with the files and names that the examples speak of; its `demo` is a small screen."""
    from harness.splits.create import create_split
    from harness.splits.store import SplitStore

    cells = anndata.read_h5ad(h5ad)
    cells.obs = cells.obs.rename(columns={"guide": "perturbation", "line": "cell_type"})
    cells.obs["perturbation"] = cells.obs["perturbation"].astype(str).replace("NT", "control")
    cells.write_h5ad(project / "cells.h5ad")
    dataset = open_dataset(shutil.copytree(project / "data" / "tiny", project / "data" / "demo"))
    SplitStore(project / "splits").save(create_split(dataset, "context_ood"))
    (project / "edges.tsv").write_text(f"{dataset.genes[0]}\t{dataset.genes[1]}\n")
    return project


def make_two_labs(run: Run) -> None:
    measures = ("--n-genes", "60", "--n-contexts", "3", "--n-perts", "6", "--n-obs", "600")
    for seed, name in enumerate(("lab_a", "lab_b")):
        assert run("make-synth", *measures, "--seed", seed, "--out", f"data/{name}").exit_code == 0


@pytest.mark.parametrize("example", EXAMPLES)
def test_the_examples_of_the_help_run(example: str, run: Run, example_project: Path) -> None:
    verb, *rest = shlex.split(example)
    if verb == "make-synth":
        shutil.rmtree(example_project / "data")
    if verb == "merge":
        make_two_labs(run)
    result = run(verb, *rest)
    assert result.exit_code == 0, result.output


def test_two_datasets_are_merged_in_the_data_folder_and_a_dry_run_only_says_so(
    run: Run, project: Path
) -> None:
    make_two_labs(run)
    assert "shared genes" in run("merge", "lab_a", "lab_b", "--dry-run").stdout
    assert not (project / "data" / "lab_a-lab_b").exists()
    assert run("merge", "lab_a", "lab_b").exit_code == 0
    merged = open_dataset(project / "data" / "lab_a-lab_b")
    assert merged.obs.covariates["dataset_id"].levels == ("lab_a", "lab_b")
    assert refusal(run("merge", "lab_a", "lab_b")).code == 6
    assert "did you mean 'lab_" in str(refusal(run("merge", "lab_a", "lab_c")).mend)


def test_the_command_line_prints_a_refusal_without_a_traceback(project: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "harness.cli.main", "data", "verify", "nothing"],
        cwd=project,
        env=dict(os.environ),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 5
    assert "Traceback" not in done.stderr
    assert "tiny" in done.stderr


def test_the_help_of_data_loads_nothing_heavy() -> None:
    asked = "import sys, harness.cli.data; print(sorted({'numpy', 'pyarrow', 'pydantic', 'h5py'} & sys.modules.keys()))"
    done = subprocess.run(
        [sys.executable, "-c", asked], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.strip() == "[]"

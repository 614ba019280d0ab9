"""`harness data graph`: from an edge list, from gene sets, or learned from the training cells of one split."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from harness.cli.data import app
from harness.datasets.dataset import PerturbDataset, open_dataset
from harness.datasets.graphs import graphs_beside, load_graph
from harness.datasets.obs import Pool
from harness.errors import HarnessError
from harness.splits.create import create_split
from harness.splits.split import Split
from harness.splits.store import SplitStore
from harness.tasks.graphs import learnable_rows

Run = Callable[..., Result]


@pytest.fixture
def folder(tiny_dataset: PerturbDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The preset `tiny` under its name in the data folder of a project, which is the working folder."""
    for variable in ("HARNESS_DATA_DIR", "HARNESS_SPLIT_DIR", "PERTURBFM_SPLIT_DIR"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.chdir(tmp_path)
    return shutil.copytree(tiny_dataset.path, tmp_path / "data" / "tiny")


@pytest.fixture
def split(folder: Path, tmp_path: Path) -> Split:
    made = create_split(open_dataset(folder), "context_ood", name="ood")
    SplitStore(tmp_path / "splits").save(made)
    return made


@pytest.fixture
def run(folder: Path) -> Run:
    return lambda *arguments: CliRunner().invoke(app, ["graph", "tiny", *map(str, arguments)])


def answer(result: Result) -> Any:
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_an_edge_list_becomes_a_graph_over_the_genes_of_the_dataset(
    run: Run, folder: Path, tmp_path: Path
) -> None:
    genes = open_dataset(folder).genes
    (tmp_path / "edges.tsv").write_text(f"source\ttarget\tweight\n{genes[0]}\t{genes[1]}\t2\nNOT\tHERE\t1\n")
    facts = answer(run("--from", "edges.tsv", "--directed", "--json"))
    assert (facts["name"], facts["provenance"], facts["edges"]) == ("edges", "external", 1)
    graph = load_graph(tmp_path / "data" / "tiny.graphs" / "edges.npz", genes)
    assert graph.matrix()[0, 1] == 1.0


def test_gene_sets_become_a_graph(run: Run, folder: Path, tmp_path: Path) -> None:
    genes = open_dataset(folder).genes
    (tmp_path / "sets.gmt").write_text("\t".join(["set", "url", *genes[:6]]) + "\n")
    assert answer(run("--from", "sets.gmt", "--json"))["edges"] == 6 * 5


def test_a_learned_graph_sees_perturbed_training_cells_and_pool_a_alone(
    run: Run, folder: Path, split: Split, tmp_path: Path
) -> None:
    dataset = open_dataset(folder)
    rows = learnable_rows(dataset, split)
    assert set(rows) <= set(split.rows("train"))
    told = ~dataset.obs.is_control | dataset.obs.in_pool(Pool.A)
    assert told[rows].all()
    assert len(rows) == int(told[split.rows("train")].sum())


def test_a_learned_graph_is_kept_for_its_split_alone(run: Run, split: Split, tmp_path: Path) -> None:
    facts = answer(run("--coexpression", "--split", "ood", "--least", "0.05", "--json"))
    assert facts["provenance"] == "learned"
    assert Path(facts["file"]).parent == tmp_path / "data" / "tiny.graphs" / split.frozen_hash
    assert graphs_beside(tmp_path / "data" / "tiny") == []
    assert graphs_beside(tmp_path / "data" / "tiny", "0" * 64) == []
    assert graphs_beside(tmp_path / "data" / "tiny", split.frozen_hash) == [Path(facts["file"])]


def test_graphs_are_listed_and_one_that_does_not_fit_says_so(run: Run, split: Split, tmp_path: Path) -> None:
    beside = tmp_path / "data" / "tiny.graphs"
    beside.mkdir()
    np.savez(beside / "foreign.npz", adjacency=np.ones((2, 2)), genes=np.array(["X", "Y"]))
    run("--coexpression", "--split", "ood")
    listed = {entry["name"]: entry for entry in answer(run("--json"))}
    assert listed["coexpression"]["provenance"] == "learned"
    assert "refused" in listed["foreign"]["provenance"]
    assert "foreign" in run().stdout


def test_a_graph_is_never_written_over(run: Run, split: Split) -> None:
    assert run("--coexpression", "--split", "ood").exit_code == 0
    again = run("--coexpression", "--split", "ood")
    assert isinstance(again.exception, HarnessError)
    assert again.exception.code == 6


def test_an_edge_list_without_any_gene_of_the_dataset_is_refused(run: Run, tmp_path: Path) -> None:
    (tmp_path / "edges.tsv").write_text("A\tB\n")
    refused = run("--from", "edges.tsv").exception
    assert isinstance(refused, HarnessError)
    assert "same naming" in str(refused.mend)


@pytest.mark.parametrize(
    "told", [("--coexpression",), ("--split", "ood"), ("--from", "x.tsv", "--coexpression", "--split", "ood")]
)
def test_half_told_is_a_usage_error(told: tuple[str, ...], run: Run) -> None:
    assert run(*told).exit_code == 2


def test_an_unknown_split_is_refused_with_the_nearest(run: Run, split: Split) -> None:
    refused = run("--coexpression", "--split", "odd").exception
    assert isinstance(refused, HarnessError)
    assert refused.code == 5

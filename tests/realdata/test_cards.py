"""Every real dataset is imported by one command, and holds what its card says."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from harness.datasets.cards import count, load_card
from harness.datasets.catalogue import card_names
from harness.datasets.dataset import PerturbDataset
from harness.datasets.describe import perturbed_genes

Import = Callable[[str], PerturbDataset]
pytestmark = pytest.mark.realdata
COUNTS = [name for name in card_names() if load_card(name).options["values"] == "counts"]
"""The datasets of single cells with raw counts."""


def test_every_file_of_the_mirror_has_a_card(mirror: Path) -> None:
    assert {path.name for path in mirror.glob("*.h5ad")} == {load_card(name).file for name in card_names()}


@pytest.mark.parametrize("name", card_names())
def test_a_dataset_holds_what_its_card_says(name: str, imported: Import) -> None:
    dataset, card = imported(name), load_card(name)
    assert count(dataset) == card.expect
    assert dataset.meta.source.sha256 == card.sha256
    assert dataset.meta.source.license == card.license
    assert dataset.meta.source.card == name


@pytest.mark.parametrize("name", COUNTS)
def test_counts_are_kept_as_they_were_and_normalised_as_the_card_says(
    name: str, imported: Import, mirror: Path
) -> None:
    import anndata

    dataset = imported(name)
    source = anndata.read_h5ad(mirror / load_card(name).file)
    place = {cell: row for row, cell in enumerate(source.obs_names)}
    order = [place[cell] for cell in dataset.cell_ids()]
    counts = np.asarray(source.X[order].todense())
    assert dataset.counts is not None
    np.testing.assert_array_equal(dataset.counts, counts)
    total = (
        source.obs["total_counts"].to_numpy()[order] if "total_counts" in source.obs else counts.sum(axis=1)
    )
    np.testing.assert_allclose(dataset.X, np.log1p(counts / total[:, None] * 1e4), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", COUNTS)
def test_every_context_of_cells_has_three_pools_of_controls(name: str, imported: Import) -> None:
    assert set(imported(name).meta.pools.modes.values()) == {"three-pool"}


def test_the_share_of_perturbed_genes_that_are_measured_is_told(imported: Import) -> None:
    told = {name: perturbed_genes(imported(name)) for name in ("norman19_k562_sc", "papalexi21_thp1_eccite")}
    assert (told["norman19_k562_sc"]["measured"], told["norman19_k562_sc"]["n"]) == (1, 31)
    assert (told["papalexi21_thp1_eccite"]["measured"], told["papalexi21_thp1_eccite"]["n"]) == (9, 25)


def test_signatures_without_controls_have_no_matched_control(imported: Import) -> None:
    dataset = imported("norman19_k562_pseudobulk")
    assert (dataset.control == -1).all()
    np.testing.assert_array_equal(dataset.delta(np.arange(5)), dataset.X[:5])


def test_importing_again_gives_the_same_hash(imported: Import, mirror: Path, tmp_path: Path) -> None:
    from harness.datasets.importing import import_card

    card = load_card("norman19_k562_sc")
    again = import_card(card, mirror / card.file, tmp_path / "again")
    assert (again / "meta.json").read_text() == (imported(card.name).path / "meta.json").read_text()

"""Dataset cards: complete, honest, named by their file."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.datasets.cards import DatasetCard, load_card
from harness.datasets.catalogue import CARDS, card_names
from harness.errors import HarnessError, UnknownNameError


@pytest.fixture
def own_card(tmp_path: Path) -> Path:
    path = tmp_path / "kang18_pbmc_ifnb.toml"
    path.write_text((CARDS / path.name).read_text())
    return path


@pytest.mark.parametrize("name", card_names())
def test_every_shipped_card_is_complete(name: str) -> None:
    card = load_card(name)
    assert card.name == name
    assert card.origin, "a card says what the prepared file was made from"
    assert min(card.expect.cells, card.expect.genes, card.expect.perturbations, card.expect.contexts) > 0


@pytest.mark.parametrize("name", card_names())
def test_every_shipped_card_names_an_importer_that_exists_and_options_that_it_takes(name: str) -> None:
    from harness.datasets.importers.registry import importers

    card = load_card(name)
    assert card.importer in importers()
    assert set(card.options) <= set(importers()[card.importer].options.model_fields)


def test_no_data_file_lies_beside_the_cards() -> None:
    assert {path.suffix for path in CARDS.iterdir()} == {".toml"}


def test_the_scgen_card_warns_that_its_labels_leak_the_condition() -> None:
    assert any("labels leak the condition" in caveat for caveat in load_card("kang18_pbmc_scgen").caveats)


def test_an_unknown_card_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(UnknownNameError) as refused:
        load_card("kang18_pmbc_ifnb")
    assert "kang18_pbmc_ifnb" in str(refused.value.mend)


def test_a_card_of_your_own_is_read_from_its_path(own_card: Path) -> None:
    assert load_card(str(own_card)) == load_card("kang18_pbmc_ifnb")


def test_a_card_that_is_not_named_by_its_file_is_refused(own_card: Path) -> None:
    other = own_card.rename(own_card.with_name("other.toml"))
    with pytest.raises(HarnessError, match="named by its file"):
        load_card(str(other))


def test_a_misspelt_key_is_refused_with_the_right_one(own_card: Path) -> None:
    own_card.write_text(own_card.read_text().replace("citation =", "citaton ="))
    with pytest.raises(HarnessError) as refused:
        load_card(str(own_card))
    assert "did you mean 'citation'" in str(refused.value)


def test_a_card_without_a_licence_is_refused() -> None:
    document = load_card("kang18_pbmc_ifnb").model_dump() | {"license": " "}
    with pytest.raises(HarnessError, match="refused") as refused:
        DatasetCard.read(document, where="card")
    assert "licence" in str(refused.value)


def test_a_file_name_cannot_leave_the_folder() -> None:
    document = load_card("kang18_pbmc_ifnb").model_dump() | {"file": "../escape.h5ad"}
    with pytest.raises(HarnessError, match="refused"):
        DatasetCard.read(document, where="card")


@pytest.mark.parametrize("name", card_names())
def test_the_command_that_imports_a_card_is_in_the_docs(name: str) -> None:
    page = Path(__file__).parents[2] / "docs" / "how-to" / "real-datasets.md"
    (line,) = [line for line in page.read_text().splitlines() if f"--card {name} " in line]
    expect = load_card(name).expect
    assert f"`harness data import --card {name} --mirror DIR`" in line
    assert f"| {expect.cells:,} " in line

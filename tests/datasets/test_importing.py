"""Where the file of a card is looked for, and what of the card goes into the dataset."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.datasets.cards import DatasetCard, load_card
from harness.datasets.importers.registry import importer
from harness.datasets.importing import card_options, find_source
from harness.errors import HarnessError


@pytest.fixture
def card() -> DatasetCard:
    return load_card("papalexi21_thp1_eccite")


def test_what_the_card_says_of_its_source_goes_into_the_options(card: DatasetCard) -> None:
    options = card_options(card, importer(card.importer).options)
    assert (options.name, options.title, options.card) == (card.name, card.title, card.name)
    assert (options.license, options.citation) == (card.license, card.citation)
    assert options.url == card.origin[0].repository


def test_a_direct_download_is_the_url_of_the_dataset(card: DatasetCard) -> None:
    url = "https://example.org/papalexi.h5ad"
    options = card_options(card.model_copy(update={"urls": [url]}), importer(card.importer).options)
    assert options.url == url


def test_an_option_that_the_importer_does_not_take_is_refused_by_the_name_of_the_card(
    card: DatasetCard,
) -> None:
    wrong = card.model_copy(update={"options": {"pert_colum": "pert_id"}})
    with pytest.raises(HarnessError, match="refused") as refused:
        card_options(wrong, importer(card.importer).options)
    assert card.name in str(refused.value.where)
    assert "did you mean 'pert_column'" in str(refused.value)


def test_a_named_file_comes_before_a_mirror_and_a_mirror_before_a_download(
    card: DatasetCard, tmp_path: Path
) -> None:
    named, mirror, downloads = tmp_path / "named.h5ad", tmp_path / "mirror", tmp_path / "downloads"
    for folder in (mirror, downloads):
        folder.mkdir()
        (folder / card.file).touch()
    assert find_source(card, downloads, source=named, mirror=str(mirror)) == named
    assert find_source(card, downloads, source=None, mirror=str(mirror)) == mirror / card.file
    assert find_source(card, downloads, source=None, mirror=None) == downloads / card.file


def test_a_fetched_file_serves_where_the_mirror_is_a_web_address(card: DatasetCard, tmp_path: Path) -> None:
    (tmp_path / card.file).touch()
    assert find_source(card, tmp_path, source=None, mirror="https://example.org") == tmp_path / card.file

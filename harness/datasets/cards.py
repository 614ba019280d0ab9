"""Dataset cards: where a dataset comes from, how it is imported, and what must come out. The data are not in the package."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, model_validator

from harness.contract.models import Record
from harness.datasets.catalogue import CARDS, card_names
from harness.datasets.dataset import PerturbDataset
from harness.errors import HarnessError, UnknownNameError
from harness.storage import read_toml

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
FileName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]


class Origin(Record):
    """One public file that the prepared file was made from."""

    repository: str
    commit: str
    path: str
    license: str
    sha256: Sha256


class Counts(Record):
    """How much there is of everything."""

    cells: int
    """Rows: cells, or profiles where the unit is a profile."""
    genes: int
    perturbations: int
    """Distinct perturbations, the control not counted."""
    contexts: int
    controls: int


class DatasetCard(Record):
    """A dataset that the harness knows how to import."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_.-]*$")]
    title: str
    file: FileName
    """The prepared file's name, in a mirror folder and in the download folder."""
    bytes: Annotated[int, Field(gt=0)]
    sha256: Sha256
    """SHA-256 of the prepared file; nothing else is ever imported under this card."""
    urls: list[Annotated[str, Field(pattern=r"^https?://")]] = []
    """Direct downloads of the prepared file, tried in order. Empty: it is to be had from a mirror only."""
    origin: list[Origin] = []
    """The public files that the prepared file was made from. Documentation: they are not what is fetched."""
    prepared: str
    """How the prepared file was made from its origin."""
    license: str
    citation: str
    importer: str = "h5ad"
    options: dict[str, Any] = {}
    """Options of the importer."""
    expect: Counts
    """What the imported dataset must hold, exactly."""
    caveats: list[str] = []
    """What a user of the numbers must know."""

    @model_validator(mode="after")
    def _license_is_said(self) -> DatasetCard:
        if not self.license.strip() or not self.citation.strip():
            raise ValueError(
                "a card states the licence and the citation; write 'not stated' where there is none"
            )
        return self


def load_card(reference: str) -> DatasetCard:
    """A card by its name, or from a TOML file of your own."""
    path = Path(reference)
    if path.suffix != ".toml":
        if reference not in card_names():
            raise UnknownNameError("dataset card", reference, card_names())
        path = CARDS / f"{reference}.toml"
    document = read_toml(path, "dataset card")
    card = DatasetCard.read(document, where=path, mend=f"the cards in {CARDS} are examples")
    if card.name != path.stem:
        raise HarnessError(
            "a dataset card is named by its file", where=path, got=card.name, expected=path.stem
        )
    return card


def count(dataset: PerturbDataset) -> Counts:
    """What a dataset holds."""
    control = dataset.meta.control_label
    return Counts(
        cells=dataset.n_obs,
        genes=dataset.meta.n_vars,
        perturbations=sum(level != control for level in dataset.obs.pert.levels),
        contexts=len(dataset.obs.context.levels),
        controls=int(dataset.obs.is_control.sum()),
    )


def check_counts(card: DatasetCard, dataset: PerturbDataset) -> None:
    """Refuse a dataset that does not hold what its card says."""
    found, expected = count(dataset).model_dump(), card.expect.model_dump()
    wrong = [key for key in expected if found[key] != expected[key]]
    if wrong:
        raise HarnessError(
            f"imported dataset does not hold what card {card.name!r} says",
            where=dataset.path,
            got=", ".join(f"{found[key]} {key}" for key in wrong),
            expected=", ".join(f"{expected[key]} {key}" for key in wrong),
            mend="mend the card's options; the source file itself has the hash of the card",
        )

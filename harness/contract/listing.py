"""The members that predictions may have, and the headers that a file declares for them."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, NamedTuple

from pydantic import Field

from harness.contract.container import Container, open_container
from harness.contract.faults import Fault, FaultError, PredictionsRefused
from harness.contract.models import Record
from harness.contract.npy_header import NpyHeader

ENDING = ".npy"


class Rule(NamedTuple):
    """What one member may be."""

    dtype: str
    """What it is read as."""
    kinds: str
    """Kinds of dtype that are accepted and cast: f float, i signed, u unsigned, b bool."""
    per_gene: bool
    required: bool
    named: str
    """The dtype as people say it."""


RULES: dict[str, Rule] = {
    "mean": Rule("<f4", "f", per_gene=True, required=True, named="float32 (or float64, float16)"),
    "var": Rule("<f4", "f", per_gene=True, required=False, named="float32 (or float64, float16)"),
    "idx": Rule("<i8", "iu", per_gene=False, required=True, named="int64 (or another integer)"),
    "epistemic": Rule("<f4", "f", per_gene=True, required=False, named="float32 (or float64, float16)"),
    "supported": Rule("|u1", "iub", per_gene=False, required=False, named="uint8 (or another integer)"),
}
"""The members by name, in the order in which they are reported."""

Float = Annotated[str, Field(pattern=r"^[<>]f[248]$")]
Integer = Annotated[str, Field(pattern=r"^([<>][iu][248]|\|[iu]1)$")]
Grade = Annotated[str, Field(pattern=r"^([<>][iu][248]|\|[iub]1)$")]
Length = Annotated[int, Field(ge=1)]


class MatrixListing(Record):
    """A member with one value per query row and gene."""

    dtype: Float
    """As numpy writes it: `<f4` is what is asked for; `<f8`, `<f2` and big-endian are cast, with a note."""
    shape: Annotated[list[Length], Field(min_length=2, max_length=2)]
    """Query rows, genes."""


class IdxListing(Record):
    """The member that names the rows."""

    dtype: Integer
    """`<i8` is what is asked for; other integers are cast, with a note."""
    shape: Annotated[list[Length], Field(min_length=1, max_length=1)]
    """Query rows."""


class SupportedListing(Record):
    """The member that grades the rows."""

    dtype: Grade
    """`|u1` is what is asked for; other integers are cast, with a note."""
    shape: Annotated[list[Length], Field(min_length=1, max_length=1)]
    """Query rows."""


class PredictionsListing(Record):
    """The headers of a predictions file: member → dtype and shape. The file itself is an `.npz` of these arrays."""

    has_schema: ClassVar[bool] = True

    mean: MatrixListing
    """Predicted delta: predicted expression − the row's own control, genes in the order of `task.json`."""
    var: MatrixListing | None = None
    """Predictive variance in delta space, ≥ 0; may be absent when `claims.uncertainty` is `none`."""
    idx: IdxListing
    """The `row` of each prediction: every query row exactly once, in any order."""
    epistemic: MatrixListing | None = None
    """The part of `var` that is model uncertainty: 0 ≤ epistemic ≤ var."""
    supported: SupportedListing | None = None
    """2 native, 1 by extension, 0 fallback, for each row."""

    @classmethod
    def schema_name(cls) -> str:
        return "predictions"


def inspect(path: Path) -> dict[str, NpyHeader]:
    """The header of every member by its name without ending, from headers alone; anything that is not so is refused."""
    with open_container(path) as container:
        headers = read_headers(container)
        refuse(path, container.faults)
    return headers


def listing(headers: Mapping[str, NpyHeader]) -> dict[str, Any]:
    """Headers as the document that `schemas/predictions.schema.json` describes."""
    return {name: {"dtype": header.descr, "shape": list(header.shape)} for name, header in headers.items()}


def read_headers(container: Container) -> dict[str, NpyHeader]:
    """Read the headers; what is unknown or unreadable goes to the container's faults."""
    headers = {}
    for name, member in container.members.items():
        try:
            known = _known(name)
            headers[known] = member.header()
        except FaultError as broken:
            container.faults.append(broken.of(name))
    return {name: headers[name] for name in RULES if name in headers}


def _known(name: str) -> str:
    stem = name.removesuffix(ENDING)
    if name.endswith(ENDING) and stem in RULES:
        return stem
    near = difflib.get_close_matches(stem, RULES, n=1)
    raise FaultError(
        "is not a member of predictions",
        got=repr(name)[:80],
        expected=", ".join(f"{known}{ENDING}" for known in RULES),
        mend=f"did you mean {near[0]}{ENDING}?" if near else "save the prediction arrays alone",
    )


def refuse(path: Path, faults: list[Fault]) -> None:
    """Raise one refusal with all faults, if there are any."""
    if faults:
        rank = {name: i for i, name in enumerate(("file", *RULES))}
        raise PredictionsRefused(path, sorted(faults, key=lambda fault: rank.get(fault.field, len(rank))))

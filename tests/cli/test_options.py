"""KEY=VALUE options become what their fields want."""

from __future__ import annotations

from typing import Annotated

import pytest
from pydantic import Field

from harness.cli.options import gather, typed
from harness.contract.models import Record
from harness.errors import HarnessError


class Options(Record):
    name: str | None = None
    columns: list[str] = []
    label: str | list[str] | None = None
    top: Annotated[int, Field(gt=0)] | None = None
    size: float = 1.0
    keep: bool = False
    doses: tuple[float, ...] = ()


@pytest.mark.parametrize(
    ("pairs", "expected"),
    [
        (["name=007"], {"name": "007"}),
        (["name=a=b"], {"name": "a=b"}),
        (["columns=3"], {"columns": ["3"]}),
        (["columns=a", "columns=b"], {"columns": ["a", "b"]}),
        (["label=NT"], {"label": "NT"}),
        (["label=NT", "label=2"], {"label": ["NT", "2"]}),
        (["top=5"], {"top": 5}),
        (["size=1e3"], {"size": 1000.0}),
        (["keep=true"], {"keep": True}),
        (["doses=1", "doses=2.5"], {"doses": [1, 2.5]}),
    ],
)
def test_text_becomes_what_the_field_wants(pairs: list[str], expected: dict[str, object]) -> None:
    document = typed(Options, gather({}, pairs), "option")
    assert document == expected
    assert Options.read(document, where="here").model_fields_set == set(expected)


def test_named_and_key_value_options_add_up() -> None:
    assert gather({"columns": ["a"], "name": []}, ["columns=b"]) == {"columns": ["a", "b"]}


def test_a_number_repeated_where_one_is_wanted_is_refused() -> None:
    with pytest.raises(HarnessError, match="refused"):
        Options.read(typed(Options, gather({}, ["top=1", "top=2"]), "option"), where="here")


def test_a_word_where_a_number_is_wanted_is_refused() -> None:
    with pytest.raises(HarnessError, match="refused"):
        Options.read(typed(Options, gather({}, ["top=many"]), "option"), where="here")

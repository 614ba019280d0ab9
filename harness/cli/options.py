"""KEY=VALUE options: from text to pairs, and to the types of the fields of a record."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from types import UnionType
from typing import TYPE_CHECKING, Any, TypeVar, Union, get_args, get_origin

from harness.errors import HarnessError, UnknownNameError

if TYPE_CHECKING:
    from harness.contract.models import Record

R = TypeVar("R", bound="Record")


def pairs(texts: Sequence[str], where: str) -> Iterator[tuple[str, str]]:
    """KEY=VALUE texts of a repeatable option as (key, value)."""
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals or not key:
            raise HarnessError(
                f"{where} is not KEY=VALUE", where=where, got=text, expected=f"e.g. {where} seed=3"
            )
        yield key, value


def gather(
    told: Mapping[str, Sequence[str]], texts: Sequence[str], where: str = "--option"
) -> dict[str, list[str]]:
    """The named options that were given and the KEY=VALUE ones, together; a key may be repeated."""
    given = {key: list(values) for key, values in told.items() if values}
    for key, value in pairs(texts, where):
        given.setdefault(key.replace("-", "_"), []).append(value)
    return given


def typed(model: type[Record], given: Mapping[str, list[str]], kind: str) -> dict[str, Any]:
    """Options by field, each as its field wants it; an unknown key is refused with the nearest known one."""
    document: dict[str, Any] = {}
    for key, values in given.items():
        if key not in model.model_fields:
            raise UnknownNameError(kind, key, model.model_fields)
        document[key] = _value(_alternatives(model.model_fields[key].annotation), values)
    return document


def _value(kinds: list[Any], values: list[str]) -> Any:
    """One value, or a list where the key was repeated or the field takes nothing else."""
    many = [kind for kind in kinds if get_origin(kind) in (list, tuple)]
    if str in kinds and len(values) == 1:
        return values[0]
    if many:
        inner = get_args(many[0])
        return values if str in inner else [_literal(value) for value in values]
    return _literal(values[0]) if len(values) == 1 else [_literal(value) for value in values]


def _literal(text: str) -> Any:
    """A number, true, false or null as JSON writes them; anything else is text."""
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text


def _alternatives(annotation: Any) -> list[Any]:
    return list(get_args(annotation)) if get_origin(annotation) in (Union, UnionType) else [annotation]

"""The base of every record that crosses the wall: frozen, closed to unknown keys, refused with the nearest known key."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator
from typing import Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from harness.errors import HarnessError

_SHOWN = 60


class Record(BaseModel):
    """A frozen record with no unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)
    has_schema: ClassVar[bool] = False
    """Whether it is exported to schemas/."""

    @classmethod
    def read(cls, value: Any, *, where: object, mend: str | None = None) -> Self:
        """Validate a parsed document; every fault is reported at once, with its place and the nearest known key.

        `mend` says where the fields are told, for records that have no file in schemas/. Types are taken as
        they stand, as JSON Schema does: text is never read as a number.
        """
        try:
            return cls.model_validate_json(json.dumps(value, default=_not_json), strict=True)
        except ValidationError as error:
            faults = list(_sentences(cls, value, error))
            raise HarnessError(
                f"{cls.__name__} is refused: {len(faults)} fault{'s' if len(faults) > 1 else ''}",
                where=where,
                got="; ".join(faults),
                mend=mend or (f"see schemas/{cls.schema_name()}.schema.json" if cls.has_schema else None),
            ) from None
        except _NotJson as error:
            raise HarnessError(
                f"{cls.__name__} is refused: a date or time stands where text or a number is expected",
                where=where,
                got=error.value,
                mend=f'put it in quotes: "{error.value}"',
            ) from None

    def document(self) -> dict[str, Any]:
        """The record as the document it was read from, all defaults written out; `read` takes it back."""
        return self.model_dump(mode="json", by_alias=True)

    @classmethod
    def schema_name(cls) -> str:
        """The stem of this record's file in schemas/."""
        return cls.__name__.lower()


class _NotJson(Exception):  # noqa: N818 - never seen outside
    def __init__(self, value: object) -> None:
        self.value = value
        super().__init__(str(value))


def _not_json(value: object) -> Any:
    raise _NotJson(value)


def _sentences(model: type[BaseModel], document: Any, error: ValidationError) -> Iterator[str]:
    """One sentence per place: the branches of a union that were tried at one place are one fault."""
    by_place: dict[tuple[Any, ...], list[Any]] = {}
    for fault in error.errors(include_url=False):
        by_place.setdefault(_place(document, fault), []).append(fault)
    for place, faults in by_place.items():
        yield _sentence(model, place, faults)


def _place(document: Any, fault: Any) -> tuple[Any, ...]:
    """The part of a fault's location that exists in the document; union branches and key marks do not."""
    if fault["type"] == "missing":
        return tuple(fault["loc"])
    place: list[Any] = []
    for part in fault["loc"]:
        inside_table = isinstance(document, dict) and part in document
        inside_list = isinstance(document, list) and isinstance(part, int) and part < len(document)
        if not (inside_table or inside_list):
            break
        document = document[part]
        place.append(part)
    return tuple(place)


def _sentence(model: type[BaseModel], place: tuple[Any, ...], faults: list[Any]) -> str:
    name = ".".join(str(part) for part in place) or "the document"
    fault = faults[0]
    if fault["type"] == "extra_forbidden":
        near = _nearest(model, place)
        return f"unknown key {name!r}" + (f" (did you mean {near!r}?)" if near else "")
    if fault["type"] == "missing":
        return f"{name} is missing"
    if fault["type"] == "value_error":
        message = str(fault["msg"]).removeprefix("Value error, ")
        return message if place == () else f"{name}: {message}"
    wanted = dict.fromkeys(str(each["msg"]).removeprefix("Input should be ") for each in faults)
    got = repr(fault["input"])
    return f"{name}: expected {' or '.join(wanted)}, got {got if len(got) <= _SHOWN else got[:_SHOWN] + '…'}"


def _nearest(model: type[BaseModel], place: tuple[Any, ...]) -> str | None:
    """The key that was probably meant: the same key of another table, else a near one of this table."""
    *table, word = (str(part) for part in place)
    for other in _known_keys(model, ()):
        if [other] != table and word in _known_keys(model, (other,)):
            return f"{other}.{word}"
    near = difflib.get_close_matches(word, _known_keys(model, tuple(table)), n=1)
    return near[0] if near else None


def _known_keys(model: type[BaseModel], path: tuple[Any, ...]) -> list[str]:
    for part in path:
        field = next((f for name, f in model.model_fields.items() if str(part) in (name, f.alias)), None)
        inner = field.annotation if field else None
        nested = next(
            (
                t
                for t in (inner, *getattr(inner, "__args__", ()))
                if isinstance(t, type) and issubclass(t, BaseModel)
            ),
            None,
        )
        if nested is None:
            return []
        model = nested
    return [field.alias or name for name, field in model.model_fields.items()]

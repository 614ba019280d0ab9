"""The base of every record that crosses the wall: frozen, closed to unknown keys, refused with the nearest known key."""

from __future__ import annotations

import difflib
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from harness.errors import HarnessError


class Record(BaseModel):
    """A frozen record with no unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    @classmethod
    def read(cls, value: Any, *, where: object) -> Self:
        """Validate a parsed document; every fault is reported at once, with its place and the nearest known key."""
        try:
            return cls.model_validate(value)
        except ValidationError as error:
            faults = [_sentence(cls, fault) for fault in error.errors()]
            raise HarnessError(
                f"{cls.__name__} is refused: {len(faults)} fault{'s' if len(faults) > 1 else ''}",
                where=where,
                got="; ".join(faults),
                mend=f"see schemas/{cls.schema_name()}.schema.json",
            ) from None

    @classmethod
    def schema_name(cls) -> str:
        """The stem of this record's file in schemas/."""
        return cls.__name__.lower()


def _sentence(model: type[BaseModel], fault: Any) -> str:
    place = ".".join(str(part) for part in fault["loc"])
    if fault["type"] == "extra_forbidden":
        near = difflib.get_close_matches(str(fault["loc"][-1]), _known_keys(model, fault["loc"][:-1]), n=1)
        return f"unknown key {place!r}" + (f" (did you mean {near[0]!r}?)" if near else "")
    return f"{place}: {fault['msg']}"


def _known_keys(model: type[BaseModel], path: tuple[Any, ...]) -> list[str]:
    for part in path:
        field = model.model_fields.get(str(part))
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
    return list(model.model_fields)

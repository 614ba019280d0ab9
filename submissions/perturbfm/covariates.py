"""Dose, time and other covariates as numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from harness.sdk import Condition


@dataclass(frozen=True)
class Covariates:
    """One column per number, standardised after log(1 + x); one per level of a text, none set for a new level."""

    columns: tuple[tuple[float, float] | tuple[str, ...], ...]
    """Centre and scale of a number, or the levels of a text."""

    @classmethod
    def of(cls, table: Sequence[Condition]) -> Covariates:
        """As training shows them."""
        columns: list[tuple[float, float] | tuple[str, ...]] = []
        for texts in zip(*(condition.covariates for condition in table), strict=True):
            numbers = [_number(text) for text in texts]
            if None not in numbers:
                logs = np.log1p(np.array(numbers, np.float64))
                columns.append((float(logs.mean()), float(logs.std()) or 1.0))
            else:
                columns.append(tuple(dict.fromkeys(texts)))
        return cls(tuple(columns))

    @property
    def width(self) -> int:
        return sum(len(column) if _is_text(column) else 1 for column in self.columns)

    def encode(self, asked: Sequence[Condition]) -> NDArray[np.float32]:
        """[conditions, width]"""
        rows = [self._one(condition.covariates) for condition in asked]
        return np.array(rows, np.float32).reshape(len(asked), self.width)

    def _one(self, texts: Sequence[str]) -> list[float]:
        values: list[float] = []
        for column, text in zip(self.columns, texts, strict=True):
            if _is_text(column):
                values += [float(text == level) for level in column]
                continue
            centre, scale = column
            number = _number(text)
            values.append(0.0 if number is None else (np.log1p(number) - float(centre)) / float(scale))
        return values


def _is_text(column: tuple[float, float] | tuple[str, ...]) -> bool:
    return isinstance(column[0], str)


def _number(text: str) -> float | None:
    """A number of at least 0, if the text is one."""
    try:
        number = float(text)
    except ValueError:
        return None
    return number if 0 <= number < float("inf") else None

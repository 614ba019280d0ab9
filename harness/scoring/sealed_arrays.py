"""Frozen objects made of arrays, as one file that knows its own hash: written whole, read back equal, refused if it changed.

Data classes and named tuples become their fields. The file is a line with its hash, a line of JSON that says what stands
where, and the bytes of all arrays one after the other; nothing is pickled.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.errors import ChangedError
from harness.storage import canonical_json, write_bytes

OBJECT, ARRAY, NUMBER, TABLE = "object", "array", "number", "table"
HASH_LENGTH = 64


def write_sealed(path: Path, value: object) -> None:
    """Write a value made of data classes, tuples, tables by name, arrays, numbers, texts and None."""
    blobs: list[bytes] = []
    tree = canonical_json(_taken_apart(value, blobs)).encode()
    body = b"".join([tree, b"\n", *blobs])
    # a file that a power cut leaves half-written is refused by its hash
    write_bytes(path, hashlib.sha256(body).hexdigest().encode() + b"\n" + body, durable=False)


def read_sealed(path: Path, classes: Sequence[type]) -> Any:
    """What was written; objects of these classes alone are made."""
    content = path.read_bytes()
    told, body = content[:HASH_LENGTH], memoryview(content)[HASH_LENGTH + 1 :]
    found = hashlib.sha256(body).hexdigest()
    if found.encode() != told:
        raise changed(path, got=found, expected=told.decode(errors="replace"))
    end = content.index(b"\n", HASH_LENGTH + 1)
    tree = json.loads(content[HASH_LENGTH + 1 : end])
    return _put_together(tree, memoryview(content)[end + 1 :], {_name(kind): kind for kind in classes})


def changed(path: Path, *, got: object, expected: object) -> ChangedError:
    """The refusal of a kept intermediate result that is no longer what was written."""
    return ChangedError(
        "a kept result of an earlier score has changed",
        where=path,
        got=got,
        expected=expected,
        mend=f"rm -r {path.parent}; it is computed again when it is needed. Find out first who wrote there",
    )


def _taken_apart(value: object, blobs: list[bytes]) -> Any:
    if isinstance(value, np.ndarray):
        array = np.ascontiguousarray(value, value.dtype.newbyteorder("<"))
        start = sum(len(blob) for blob in blobs)
        blobs.append(array.tobytes())
        return {ARRAY: [array.dtype.str, list(value.shape), start]}
    if dataclasses.is_dataclass(value):
        fields = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
        return {OBJECT: _name(type(value)), TABLE: _each(fields, blobs)}
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        return {OBJECT: _name(type(value)), TABLE: _each(value._asdict(), blobs)}
    if isinstance(value, Mapping):
        return {TABLE: _each(value, blobs)}
    if isinstance(value, (tuple, list)):
        return [_taken_apart(one, blobs) for one in value]
    if isinstance(value, float):
        return {NUMBER: value.hex()}
    return value


def _name(kind: type) -> str:
    """The module is part of it: panels call what they keep alike."""
    return f"{kind.__module__}.{kind.__qualname__}"


def _each(fields: Mapping[str, object], blobs: list[bytes]) -> dict[str, Any]:
    return {name: _taken_apart(one, blobs) for name, one in fields.items()}


def _put_together(tree: Any, blob: memoryview, classes: Mapping[str, type]) -> Any:
    if isinstance(tree, list):
        return tuple(_put_together(one, blob, classes) for one in tree)
    if not isinstance(tree, dict):
        return tree
    if ARRAY in tree:
        return _array(blob, *tree[ARRAY])
    if NUMBER in tree:
        return float.fromhex(tree[NUMBER])
    fields = {name: _put_together(one, blob, classes) for name, one in tree[TABLE].items()}
    return classes[tree[OBJECT]](**fields) if OBJECT in tree else fields


def _array(blob: memoryview, dtype: str, shape: list[int], start: int) -> NDArray[Any]:
    count = int(np.prod(shape, dtype=np.int64))
    # a copy is aligned and may be written to, as what was computed
    return np.frombuffer(blob, dtype, count, start).reshape(shape).copy()

"""The header of a `.npy` array, read without trusting it and without numpy allocating anything.

Format: NumPy Enhancement Proposal 1, versions 1.0 to 3.0.
"""

from __future__ import annotations

import ast
import math
import re
from dataclasses import dataclass

import numpy as np

from harness.contract.faults import FaultError

HEAD_BYTES = 12 + 10_000
"""As much of a member as is ever read to find its header; longer headers are refused, as numpy does."""
_MAGIC = b"\x93NUMPY"
_MAX_AXES = 32
_KEYS = {"descr", "fortran_order", "shape"}
_DESCR = re.compile(r"([<>|=]?)([biufc])([0-9]{1,2})")


@dataclass(frozen=True)
class NpyHeader:
    """What an array says of itself."""

    descr: str
    """As numpy writes it: byte order, kind, item size, e.g. `<f4`."""
    shape: tuple[int, ...]
    fortran_order: bool
    length: int
    """Bytes before the first value."""

    @property
    def dtype(self) -> np.dtype[np.generic]:
        return np.dtype(self.descr)

    @property
    def n_bytes(self) -> int:
        """The size of the whole array file, from the header alone."""
        return self.length + math.prod(self.shape) * self.dtype.itemsize

    def __str__(self) -> str:
        return f"{self.descr} {list(self.shape)}"


def parse_npy_header(head: bytes) -> NpyHeader:
    """The header at the start of an array file; `head` is its first `HEAD_BYTES` bytes, or all of it if shorter."""
    if head[:6] != _MAGIC:
        pickled = head[:2] in (b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")
        raise FaultError(
            "is a pickle, and pickles are never read" if pickled else "is not a .npy array",
            got=repr(head[:8]),
            expected=repr(_MAGIC),
            mend="write plain arrays with numpy.save or numpy.savez",
        )
    if head[6:8] not in (b"\x01\x00", b"\x02\x00", b"\x03\x00"):
        raise FaultError(
            "has an unknown .npy version", got=".".join(str(b) for b in head[6:8]), expected="1.0, 2.0 or 3.0"
        )
    start = 10 if head[6] == 1 else 12
    length = int.from_bytes(head[8:start], "little")
    text = head[start : start + length]
    if len(head) < start or len(text) < length:
        too_long = start + length > HEAD_BYTES
        raise FaultError(
            "has a header that is too long" if too_long else "ends within its header",
            got=f"a header of {length} bytes, {len(text)} present",
            expected=f"at most {HEAD_BYTES - start} bytes",
        )
    return _fields(text.decode("utf-8" if head[6] == 3 else "latin-1", "replace"), start + length)


def _fields(text: str, length: int) -> NpyHeader:
    try:
        tree = ast.parse(text.strip(), mode="eval").body
        fields = ast.literal_eval(tree)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        tree, fields = None, None
    if not isinstance(tree, ast.Dict) or len(tree.keys) != 3 or set(fields) != _KEYS:
        raise FaultError(
            "has a header that cannot be read",
            got=repr(text[:80]),
            expected="{'descr': …, 'fortran_order': …, 'shape': …}",
            mend="write plain arrays with numpy.save or numpy.savez",
        )
    descr, order, shape = fields["descr"], fields["fortran_order"], fields["shape"]
    if not isinstance(order, bool):
        raise FaultError(
            "has a header with a wrong fortran_order", got=repr(order)[:80], expected="True or False"
        )
    if not _is_shape(shape):
        raise FaultError(
            "has a header with a wrong shape",
            got=repr(shape)[:80],
            expected="non-negative int64 lengths of a few axes",
        )
    return NpyHeader(_plain_descr(descr), shape, order, length)


def _is_shape(shape: object) -> bool:
    lengths = shape if isinstance(shape, tuple) and len(shape) <= _MAX_AXES else (None,)
    return all(type(length) is int and 0 <= length < 2**63 for length in lengths)


def _plain_descr(descr: object) -> str:
    """The dtype if it is a plain number; everything else is named for what it is."""
    found = _DESCR.fullmatch(descr) if isinstance(descr, str) else None
    if found and found[2] + found[3] in _SIZES:
        return found[0]
    if isinstance(descr, str) and descr.lstrip("<>|=").startswith("O"):
        what = "is an object array, which numpy can only store as a pickle"
    elif isinstance(descr, str) and descr.lstrip("<>|=")[:1] in ("U", "S", "a", "V", "M", "m"):
        what = "holds text, dates or raw bytes"
    elif isinstance(descr, (list, tuple)):
        what = "is a structured array"
    else:
        what = "has a dtype that is not known"
    raise FaultError(
        what,
        got=f"descr {str(descr)[:60]!r}",
        expected="a plain number dtype",
        mend="convert with .astype(numpy.float32), or numpy.int64 for idx",
    )


_SIZES = {"b1", *(f"{kind}{size}" for kind in "iu" for size in (1, 2, 4, 8)), "f2", "f4", "f8", "c8", "c16"}

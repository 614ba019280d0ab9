"""Arrays that lie, hide code or break the rules on values, in archives that are sound."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

Arrays = dict[str, np.ndarray[Any, Any]]
NPY = b"\x93NUMPY"


def header(text: str, version: bytes = b"\x01\x00") -> bytes:
    raw = text.encode("latin-1")
    return NPY + version + len(raw).to_bytes(2 if version[0] == 1 else 4, "little") + raw


def fields(descr: str = "'<f4'", order: str = "False", shape: str = "(12, 6)") -> str:
    return f"{{'descr': {descr}, 'fortran_order': {order}, 'shape': {shape}}}\n"


MEAN_BYTES = bytes(12 * 6 * 4)
HEADERS: dict[str, tuple[bytes, str]] = {
    "a pickle": (b"\x80\x04]\x94.", "is a pickle"),
    "no array at all": (b"hello, world", "is not a .npy array"),
    "a future version": (header(fields(), b"\x09\x00") + MEAN_BYTES, "has an unknown .npy version; got 9.0"),
    "an object array": (
        header(fields("'|O'")) + MEAN_BYTES,
        "is an object array, which numpy can only store as a pickle",
    ),
    "text": (header(fields("'<U4'")) + MEAN_BYTES, "holds text, dates or raw bytes; got descr '<U4'"),
    "dates": (header(fields("'<M8[ns]'")) + MEAN_BYTES, "got descr '<M8[ns]'"),
    "raw bytes": (header(fields("'|V4'")) + MEAN_BYTES, "got descr '|V4'"),
    "a structured array": (header(fields("[('a', '<f4')]")) + MEAN_BYTES, "is a structured array"),
    "extended floats": (header(fields("'<f16'")) + MEAN_BYTES, "dtype that is not known; got descr '<f16'"),
    "a dtype with commas": (header(fields("'f4,f4'")) + MEAN_BYTES, "not known; got descr 'f4,f4'"),
    "a dtype that is a number": (header(fields("7")) + MEAN_BYTES, "not known; got descr '7'"),
    "4 TiB in a header": (header(fields(shape="(1073741824, 1024)")), "4,398,046,511,184 bytes for <f4"),
    "a shape beyond any machine": (
        header(fields(shape=f"({2**62}, 6)")),
        "110,680,464,442,257,309,782 bytes for <f4",
    ),
    "a shape beyond any integer": (header(fields(shape=f"({10**30}, 6)")), "wrong shape; got (1000000"),
    "a shape of 8000 digits": (
        header(fields(shape=f"(9{'0' * 4000}, 9{'0' * 4000})")),
        "wrong shape; got (9000000",
    ),
    "a shape of 3000 axes": (header(fields(shape=f"({'1,' * 3000})")), "wrong shape; got (1, 1, 1,"),
    "a header of sums": (header("1+" * 4900 + "1"), "cannot be read; got '1+1+1+"),
    "a header of dots": (header("a" + ".a" * 4900), "cannot be read; got 'a.a.a."),
    "a header of brackets": (header("[" * 9900), "cannot be read; got '[[[["),
    "a header with a null": (header("{'descr': '\0'}"), "cannot be read; got \"{'descr': '\\x00'"),
    "fewer values than bytes": (header(fields(shape="(12, 5)")) + MEAN_BYTES, "309 bytes for <f4 [12, 5]"),
    "more values than bytes": (header(fields(shape="(12, 7)")) + MEAN_BYTES, "405 bytes for <f4 [12, 7]"),
    "a negative shape": (header(fields(shape="(-12, -6)")) + MEAN_BYTES, "wrong shape; got (-12, -6)"),
    "a shape of booleans": (header(fields(shape="(True, 6)")) + MEAN_BYTES, "wrong shape; got (True, 6)"),
    "a shape that is a list": (header(fields(shape="[12, 6]")) + MEAN_BYTES, "wrong shape; got [12, 6]"),
    "an order that is a word": (header(fields(order="'yes'")) + MEAN_BYTES, "wrong fortran_order"),
    "a header with code": (
        header("__import__('os').system('touch /tmp/owned')\n"),
        'cannot be read; got "__import__',
    ),
    "a header that nests deep": (header("(" * 9000 + ")" * 900), "cannot be read; got '((((((((("),
    "a header of minus signs": (header("-" * 9900 + "1"), "cannot be read; got '---------"),
    "a header with a fourth key": (header("{'x': 1, " + fields()[1:]), "cannot be read; got \"{'x': 1"),
    "a header that says a thing twice": (
        header("{'shape': (1,), 'shape': (12, 6), 'descr': '<f4'}\n"),
        "cannot be read; got \"{'shape': (1,), 'shape'",
    ),
    "a header that says too little": (header("{'descr': '<f4'}\n"), "cannot be read; got \"{'descr': '<f4'}"),
    "a header that is a word": (header("None\n"), "cannot be read; got 'None"),
    "a header without end": (NPY + b"\x01\x00\xff\x10{'descr'", "ends within its header"),
    "a header of 4 GiB": (NPY + b"\x02\x00\xff\xff\xff\xff{}", "header that is too long"),
    "a header cut off": (NPY + b"\x01\x00", "ends within its header; got a header of 0 bytes, 0 present"),
}


def changed(good: Arrays, name: str, at: Any, value: Any, dtype: Any = None) -> Arrays:
    array = good[name].astype(dtype or good[name].dtype)
    array[at] = value
    return {**good, name: array}


def without(good: Arrays, name: str) -> Arrays:
    return {other: array for other, array in good.items() if other != name}


def value_attacks(good: Arrays) -> dict[str, tuple[Arrays, str, str]]:
    """What is done → the arrays, the field of the fault, and its words."""
    mean, idx = good["mean"], good["idx"]
    matrix = {
        "a NaN": (changed(good, "mean", (3, 2), np.nan), "mean", "the first is nan; expected finite"),
        "an Inf": (changed(good, "mean", (4, slice(None)), np.inf), "mean", "6 values in 1 row and 6 genes"),
        "a NaN in var": (changed(good, "var", (0, 5), np.nan), "var", "first rows 0; first genes GENE5"),
        "numbers beyond float32": (changed(good, "mean", (1, 1), 1e300, "f8"), "mean", "the first is inf"),
        "a negative variance": (changed(good, "var", ([2, 7], 3), -0.5), "var", "is negative; got 2 values"),
        "epistemic over var": (changed(good, "epistemic", (5, 0), 9), "epistemic", "is larger than var"),
        "negative epistemic": (
            changed(good, "epistemic", (5, 0), -1),
            "epistemic",
            "is negative; got 1 value",
        ),
        "epistemic alone": (without(good, "var"), "epistemic", "stands without var"),
        "complex numbers": ({**good, "mean": mean.astype("c8")}, "mean", "got complex64 (<c8)"),
        "whole numbers": ({**good, "mean": mean.astype("i4")}, "mean", "got int32 (<i4)"),
        "yes and no": ({**good, "var": good["var"] > 0.7}, "var", "got bool (|b1)"),
        "genes by rows": ({**good, "mean": mean.T.copy()}, "mean", "got [6, 12]; expected [12, 6]"),
        "genes of another dataset": (
            {**good, "mean": np.zeros((12, 9), "f4")},
            "mean",
            "another number of genes than the task; got [12, 9]",
        ),
        "rows of another query": (
            {**good, "var": np.ones((13, 6), "f4")},
            "var",
            "another number of rows than the query; got [13, 6]",
        ),
        "a flat mean": ({**good, "mean": mean.ravel()}, "mean", "wrong shape; got [72]"),
        "a deep mean": ({**good, "mean": mean[None]}, "mean", "wrong shape; got [1, 12, 6]"),
        "a number for a mean": ({**good, "mean": np.float32(1)}, "mean", "wrong shape; got []"),
        "no rows": ({**good, "mean": mean[:0]}, "mean", "rows than the query; got [0, 6]"),
    }
    columns = {
        "no mean": (without(good, "mean"), "mean", "is missing; got no such member"),
        "no idx": (without(good, "idx"), "idx", "is missing; got no such member"),
        "no var although claimed": (
            without(without(good, "epistemic"), "var"),
            "var",
            'uncertainty = "none"',
        ),
        "a misspelt member": ({**good, "means": mean}, "means", "did you mean mean.npy?"),
        "an extra member": ({**good, "truth": mean}, "truth", "save the prediction arrays alone"),
        "idx as floats": ({**good, "idx": idx.astype("f8")}, "idx", "has the wrong dtype; got float64"),
        "idx as a column": ({**good, "idx": idx[:, None]}, "idx", "wrong shape; got [12, 1]"),
        "a row twice": (changed(good, "idx", 0, idx[1]), "idx", f"1 row more than once: {idx[1]}"),
        "a row left out": (changed(good, "idx", 0, idx[1]), "idx", f"without a prediction: {idx[0]}"),
        "a foreign row": (changed(good, "idx", 2, 12), "idx", "1 foreign row: 12; expected the rows 0 to 11"),
        "a negative row": (changed(good, "idx", 2, -1), "idx", "1 foreign row: -1"),
        "a row beyond int64": (
            changed(good, "idx", 2, np.uint64(2**64 - 5), np.uint64),
            "idx",
            "1 foreign row: -5",
        ),
        "a grade of 3": (changed(good, "supported", 8, 3), "supported", "got 1 value: 3"),
        "a grade of −1": (changed(good, "supported", 8, -1, "i2"), "supported", "got 1 value: -1"),
        "half a grade": (changed(good, "supported", 8, 0.5, "f4"), "supported", "wrong dtype; got float32"),
    }
    return matrix | columns


def write_with_mean(path: Path, good: Arrays, mean: bytes) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name in ("var", "idx", "epistemic", "supported"):
            buffer = io.BytesIO()
            np.save(buffer, good[name])
            archive.writestr(f"{name}.npy", buffer.getvalue())
        archive.writestr("mean.npy", mean)
    return path


@pytest.fixture(scope="module")
def verdicts(tmp_path_factory: pytest.TempPathFactory, judge: Any, good: Arrays) -> Any:
    folder = tmp_path_factory.mktemp("hostile-arrays")
    files = {}
    for number, (name, (mean, _)) in enumerate(HEADERS.items()):
        files[name] = write_with_mean(folder / f"header{number}.npz", good, mean)
        plain = folder / f"folder{number}"
        plain.mkdir()
        for other in ("var", "idx"):
            np.save(plain / f"{other}.npy", good[other])
        (plain / "mean.npy").write_bytes(mean)
        files[f"{name}, in a folder"] = plain
    for number, (name, (arrays, _, _)) in enumerate(value_attacks(good).items()):
        files[name] = folder / f"value{number}.npz"
        np.savez(files[name], **arrays)
        files[f"{name}, packed"] = folder / f"packed{number}.npz"
        np.savez_compressed(files[f"{name}, packed"], **arrays)
    return judge(files)


VALUE_NAMES = list(
    value_attacks(
        {
            "mean": np.zeros((12, 6), "f4"),
            "var": np.ones((12, 6), "f4"),
            "idx": np.arange(12),
            "epistemic": np.zeros((12, 6), "f4"),
            "supported": np.zeros(12, "u1"),
        }
    )
)


@pytest.mark.parametrize("form", ["", ", in a folder"])
@pytest.mark.parametrize("name", HEADERS)
def test_a_hostile_header_is_refused_by_what_it_does(verdicts: Any, name: str, form: str) -> None:
    verdict = verdicts[name + form]
    assert verdict.said("mean", HEADERS[name][1]), verdict.faults
    assert len(verdict.faults) == 1, "the other members are sound"


@pytest.mark.parametrize("form", ["", ", packed"])
@pytest.mark.parametrize("name", VALUE_NAMES)
def test_broken_values_are_refused_by_the_rule_they_break(
    verdicts: Any, good: Arrays, name: str, form: str
) -> None:
    _, field, words = value_attacks(good)[name]
    assert verdicts[name + form].said(field, words), verdicts[name + form].faults


def test_every_hostile_array_is_refused_quickly_and_in_little_memory(verdicts: Any) -> None:
    assert len(verdicts) >= 40
    for name, verdict in verdicts.items():
        assert verdict.faults, name
        assert verdict.seconds < 1, name
        assert verdict.grown_mib < 200, name


def test_no_two_header_attacks_are_told_the_same(verdicts: Any) -> None:
    sentences = [verdicts[name].faults[0][1] for name in HEADERS]
    assert len(set(sentences)) == len(sentences)

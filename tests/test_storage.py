"""Files and folders appear whole or not at all; what cannot be read is refused by name."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from harness.errors import ExistsError, HarnessError
from harness.storage import (
    canonical_json,
    dead_partials,
    new_folder,
    read_json,
    read_toml,
    scratch_folder,
    sweep_partials,
    write_json,
    write_text,
)


def test_equal_values_are_equal_bytes_and_nan_is_refused():
    assert canonical_json({"b": 1, "a": [True, "é"]}) == canonical_json({"a": [True, "é"], "b": 1})
    with pytest.raises(ValueError, match="JSON"):
        canonical_json({"a": float("nan")})


@pytest.mark.parametrize(("read", "name"), [(read_json, "JSON"), (read_toml, "TOML")])
@pytest.mark.parametrize("content", [b"= {", b"\xff\xfe"])
def test_a_file_that_cannot_be_read_is_refused_with_its_path(tmp_path, read, name, content):
    path = tmp_path / "file"
    path.write_bytes(content)
    with pytest.raises(HarnessError, match=f"card is not readable {name}") as refusal:
        read(path, "card")
    assert refusal.value.where == str(path)


@pytest.mark.parametrize("read", [read_json, read_toml])
def test_a_missing_file_is_refused_by_what_it_should_be(tmp_path, read):
    with pytest.raises(HarnessError, match="card not found"):
        read(tmp_path / "nothing", "card")


def test_what_is_written_reads_back_and_leaves_nothing_beside_it(tmp_path):
    write_json(tmp_path / "deep" / "a.json", {"x": 1})
    write_json(tmp_path / "deep" / "a.json", {"x": 2})
    assert read_json(tmp_path / "deep" / "a.json", "file") == {"x": 2}
    assert [p.name for p in (tmp_path / "deep").iterdir()] == ["a.json"]


def test_a_folder_appears_only_when_its_block_ends_well(tmp_path):
    def fail_half_way() -> None:
        with new_folder(tmp_path / "made", kind="thing") as folder:
            write_text(folder / "part", "x")
            assert not (tmp_path / "made").exists()
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail_half_way()
    assert list(tmp_path.iterdir()) == []
    with new_folder(tmp_path / "made", kind="thing") as folder:
        write_text(folder / "part", "x")
    assert (tmp_path / "made" / "part").read_text() == "x"


def test_an_existing_folder_is_never_written_over_but_an_empty_one_is_free(tmp_path):
    (tmp_path / "empty").mkdir()
    with new_folder(tmp_path / "empty", kind="thing") as folder:
        write_text(folder / "part", "x")
    with (
        pytest.raises(ExistsError, match="thing already exists"),
        new_folder(tmp_path / "empty", kind="thing"),
    ):
        pytest.fail("the block must not begin")


def test_who_comes_second_is_refused_and_the_first_one_stays(tmp_path):
    def come_second() -> None:
        with new_folder(tmp_path / "made", kind="thing") as second:
            write_text(second / "who", "second")
            with new_folder(tmp_path / "made", kind="thing") as first:
                write_text(first / "who", "first")

    with pytest.raises(ExistsError):
        come_second()
    assert (tmp_path / "made" / "who").read_text() == "first"


def test_what_a_killed_process_left_is_swept_and_what_a_living_one_works_on_is_not(tmp_path):
    code = (
        "import os, sys; from pathlib import Path; from harness.storage import new_folder\n"
        "with new_folder(Path(sys.argv[1]), kind='thing'):\n    os.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "made")], check=False)
    assert len(dead_partials(tmp_path)) == 1
    with scratch_folder(tmp_path / "other") as alive:
        sweep_partials(tmp_path)
        assert dead_partials(tmp_path) == []
        assert alive.is_dir()


@pytest.mark.parametrize(
    "value",
    [
        {"b": {"y": [1, 2.5, None], "x": {}}, "a": [[], [{"é": "\n", "d": True}], ()], "c": 1e-300},
        {2: {"x": 1}, 10: {"x": 2}},
        [],
        [[1], 2],
        "text",
        7,
    ],
)
@pytest.mark.parametrize("indent", [1, 2])
def test_indented_json_is_what_the_standard_library_writes(value, indent):
    expected = json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ": "), indent=indent)
    assert canonical_json(value, indent=indent) == expected


def test_a_number_that_is_none_has_no_indented_json():
    with pytest.raises(ValueError, match="JSON"):
        canonical_json({"a": {"b": float("nan")}}, indent=1)

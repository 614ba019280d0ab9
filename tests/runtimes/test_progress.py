"""Hostile progress lines are passed over, good ones are read once."""

from __future__ import annotations

import pytest

from harness.runtimes.progress import MAX_LINE, ProgressTail, parse_progress


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"not json",
        b"[1, 2]",
        b"null",
        b'{"step": "one"}',
        b'{"step": NaN}',
        b'{"step": -1}',
        b'{"step": 1, "of": 0}',
        b'{"step": true}',
        b'{"message": "no step"}',
        b'{"step": 1e999}',
        b'{"step": 1' + b"0" * 5000 + b"}",
        b"[" * 100_00,
        b'{"step": 1, "message": "' + b"x" * MAX_LINE + b'"}',
        b"\xff\xfe",
    ],
)
def test_what_is_no_progress_line_is_passed_over(line):
    assert parse_progress(line) is None


def test_control_characters_never_reach_the_terminal():
    progress = parse_progress(b'{"step": 1, "message": "a\\u001b[2Jb\\nc"}')
    assert progress is not None
    assert progress.message == "a[2Jbc"


def test_metrics_keep_finite_numbers_alone():
    progress = parse_progress(b'{"step": 1, "metrics": {"a": 1, "b": "x", "c": NaN, "d": [1]}}')
    assert progress is not None
    assert progress.metrics == {"a": 1.0}


def test_a_line_is_read_when_it_is_whole_and_only_once(tmp_path):
    path = tmp_path / "progress.jsonl"
    tail = ProgressTail(path)
    assert tail.latest() is None
    path.write_bytes(b'{"step": 1}\n{"st')
    first = tail.latest()
    assert first is not None
    assert first.step == 1
    assert tail.latest() is None
    with path.open("ab") as handle:
        handle.write(b'ep": 2}\n')
    second = tail.latest()
    assert second is not None
    assert second.step == 2


def test_a_link_is_not_followed(tmp_path):
    (tmp_path / "secret").write_bytes(b'{"step": 1}\n')
    (tmp_path / "progress.jsonl").symlink_to(tmp_path / "secret")
    assert ProgressTail(tmp_path / "progress.jsonl").latest() is None


def test_an_endless_line_costs_bounded_memory(tmp_path):
    path = tmp_path / "progress.jsonl"
    path.write_bytes(b"x" * (5 << 20))
    tail = ProgressTail(path)
    assert tail.latest() is None
    assert len(tail._rest) <= MAX_LINE

"""What a submission wrote is looked at with care: any number of files, at any depth."""

import os

from harness.runtimes.protocol import Limits
from harness.runtimes.written import DEEPEST, excess, written
from harness.schedulers.execution import make_plain
from harness.storage import remove_tree, sweep_partials


def nested(folder, depth):
    """Folders in folders, made by going down, since no path could name the last."""
    folder.mkdir()
    before = os.getcwd()
    os.chdir(folder)
    try:
        for _ in range(depth):
            os.mkdir("a")
            os.chdir("a")
        with open("file", "w") as out:
            out.write("x")
    finally:
        os.chdir(before)
    return folder


def test_a_folder_deeper_than_any_path_is_removed(tmp_path):
    remove_tree(nested(tmp_path / "deep", 2500))
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_closed_to_its_owner_is_removed(tmp_path):
    (tmp_path / "closed/inner").mkdir(parents=True)
    (tmp_path / "closed/inner/file").write_text("x")
    (tmp_path / "closed/inner").chmod(0)
    (tmp_path / "closed").chmod(0)
    remove_tree(tmp_path / "closed")
    assert list(tmp_path.iterdir()) == []


def test_what_is_not_there_and_what_is_a_link_are_left(tmp_path):
    (tmp_path / "kept").mkdir()
    (tmp_path / "link").symlink_to("kept")
    remove_tree(tmp_path / "missing")
    remove_tree(tmp_path / "link")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["kept", "link"]


def test_what_a_killed_harness_left_of_such_a_run_does_not_stop_the_next(tmp_path):
    nested(tmp_path / f".run.partial-{os.uname().nodename}~4194304~x", 1500)
    sweep_partials(tmp_path)


def test_an_output_is_made_plain_at_any_depth(tmp_path):
    output = nested(tmp_path / "output", 2500)
    make_plain(output)
    assert max(level for _, level in written(output)) == DEEPEST - 1


def test_the_reason_says_what_is_too_much(tmp_path, monkeypatch):
    output = tmp_path / "output"
    (output / "model").mkdir(parents=True)
    (output / "model/weights").write_bytes(b"x" * 9000)
    assert excess(output, Limits()) is None
    assert "limit is 0 MiB" in str(excess(output, Limits(output_bytes=100)))
    assert "deeper than 32" in str(excess(nested(tmp_path / "deep", 40), Limits(output_bytes=1 << 40)))
    monkeypatch.setattr("harness.runtimes.written.MOST_ENTRIES", 1)
    assert "more than 1 files" in str(excess(output, Limits()))

"""Sweep and suite files: what is read, and what is refused by name."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.errors import HarnessError, UnknownNameError
from harness.suites.suite_file import read_suite
from harness.suites.sweep_file import OF_TEST, read_sweep

ROOT = Path(__file__).parents[2]
SHIPPED = sorted((ROOT / "suites").glob("*.toml"))
SWEEPS = sorted((ROOT / "suites").glob("*/*.toml"))
SWEEP = 'schema = 1\nname = "s"\nsubmissions = ["ridge"]\ntasks = ["tiny:context_ood"]\n'
SUITE = 'schema = 1\nname = "s"\nsubmissions = ["ridge", "v2"]\ntasks = ["tiny:context_ood"]\n'


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "file.toml"
    path.write_text(text)
    return path


def test_a_grid_is_every_combination_for_every_submission(tmp_path: Path) -> None:
    text = (
        SWEEP.replace('["ridge"]', '["ridge", "v2@small"]')
        + "[params]\nc = 1\n[grid]\na = [1, 2]\nb = [0.1, 0.2]\n"
    )
    points = read_sweep(written(tmp_path, text)).all_points()
    assert len(points) == 8
    assert points[5].name == "v2@small a=1 b=0.2"
    assert points[5].params == {"c": 1, "a": 1, "b": 0.2}


def test_a_list_of_points_is_taken_as_it_stands(tmp_path: Path) -> None:
    points = read_sweep(written(tmp_path, SWEEP + "[[points]]\na = 1\n[[points]]\nb = 2\n")).all_points()
    assert [one.params for one in points] == [{"a": 1}, {"b": 2}]


@pytest.mark.parametrize("word", OF_TEST)
@pytest.mark.parametrize("place", ["{}\n", "[params]\n{}\n", "[[points]]\n{}\n", "[grid]\n{}\n"])
def test_a_sweep_that_asks_for_test_is_refused_by_the_word_it_uses(
    tmp_path: Path, word: str, place: str
) -> None:
    line = f'"{word}" = ["test"]' if "grid" in place else f'"{word}" = "test"'
    with pytest.raises(HarnessError, match=f"'{word}' is no setting of a sweep"):
        read_sweep(written(tmp_path, SWEEP + place.format(line)))


def test_a_task_of_a_sweep_cannot_ask_for_test_either(tmp_path: Path) -> None:
    task = 'tasks = [{name = "t", dataset = "tiny", split = "context_ood", eval_split = "test"}]'
    with pytest.raises(HarnessError, match="'eval_split' is no setting"):
        read_sweep(written(tmp_path, SWEEP.replace('tasks = ["tiny:context_ood"]', task)))


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('metric = "calibrated.wms"', "calibrated.wmse"),
        ('metric = "uncertainty.width_90"', "description"),
        ("sedes = 3", "seeds"),
        ("[grid]\na = [1]\n[[points]]\na = 2", "not both"),
    ],
)
def test_a_fault_in_a_sweep_is_told_with_its_mend(tmp_path: Path, line: str, said: str) -> None:
    with pytest.raises(HarnessError) as refusal:
        read_sweep(written(tmp_path, SWEEP + line + "\n"))
    assert said in str(refusal.value)


@pytest.mark.parametrize(
    "line",
    [
        'claims = ["v3 beats ridge on calibrated.wmse in tiny:context_ood"]',
        'claims = ["v2 beats ridge on calibrated.wmse in demo:context_ood"]',
        'claims = ["v2 beats ridge on calibrated.nothing in tiny:context_ood"]',
        '[[ablations]]\nmodel = "v2"\nwithout = ["v2@no_graph"]',
        '[[gates]]\nname = "G1"\ntitle = "t"\nall = ["lost"]',
        '[[claims]]\nname = "c"\nsays = "v2 beats ridge on calibrated.wmse in tiny:context_ood"\ngates = ["nice"]',
    ],
)
def test_a_suite_that_names_what_it_does_not_have_is_refused(tmp_path: Path, line: str) -> None:
    with pytest.raises(UnknownNameError):
        read_suite(written(tmp_path, SUITE + line + "\n"))


def test_two_things_of_one_name_are_refused(tmp_path: Path) -> None:
    with pytest.raises(HarnessError, match="stands here twice"):
        read_suite(written(tmp_path, SUITE.replace('"v2"', '"ridge"')))


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_every_shipped_suite_is_sound(path: Path) -> None:
    assert read_suite(path).name == path.stem


@pytest.mark.parametrize("path", SWEEPS, ids=lambda path: path.stem)
def test_every_shipped_sweep_is_sound(path: Path) -> None:
    assert read_sweep(path).all_points()

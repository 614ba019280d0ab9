"""`perturbfm pretrain` as it is typed."""

from __future__ import annotations

import json
import re
import shlex
import tomllib
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
from perturbfm.pretrain.command import main, parser

ROOT = Path(__file__).parents[4]


@pytest.fixture
def pretrain(tiny_dataset, split_file, tmp_path):
    def run(*words, out: str = "out", split: bool = True) -> int:
        chosen = ["--split", split_file] if split else []
        told = ["pretrain", tiny_dataset.path, *chosen, "--out", tmp_path / out]
        return main([str(w) for w in (*told, "--steps", 4, "--batch", 16, "--width", 8, *words)])

    return run


def test_it_writes_an_encoder_and_what_it_saw(pretrain, tmp_path, capsys, source):
    assert pretrain() == 0
    out = tmp_path / "out"
    assert capsys.readouterr().out.strip().endswith(str(out / "encoder.safetensors"))
    said = json.loads((out / "pretraining.json").read_text())
    assert said["cells"] == len(source)
    assert said["left_out"]["hidden role test"] > 0
    assert said["held_out"]["first"] > 0


def test_the_same_command_again_changes_nothing_and_another_is_refused(pretrain, tmp_path, capsys):
    assert pretrain() == 0
    before = (tmp_path / "out" / "encoder.safetensors").read_bytes()
    assert pretrain() == 0
    assert (tmp_path / "out" / "encoder.safetensors").read_bytes() == before
    assert pretrain("--objective", "masked") == 3
    assert "refused: another pretraining was begun in this folder" in capsys.readouterr().err


def test_a_dry_run_says_which_rows_would_be_seen_and_trains_nothing(pretrain, tmp_path, capsys, source):
    assert pretrain("--dry-run", "--json") == 0
    assert json.loads(capsys.readouterr().out)["cells"] == len(source)
    assert not (tmp_path / "out" / "encoder.safetensors").exists()


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["--steps", 0], "--steps must be above 0"),
        (["--hide", 1.0], "nothing can be rebuilt so"),
        (["--batch", 12], "a multiple of 8"),
        (["--rows", "nowhere.npy"], "no list of rows"),
    ],
)
def test_what_makes_no_sense_is_refused_before_any_work(pretrain, tmp_path, capsys, words, why):
    assert pretrain(*words) == 3
    assert why in capsys.readouterr().err
    assert not (tmp_path / "out" / "encoder.safetensors").exists()


def test_hidden_rows_are_refused_with_a_code_of_their_own(pretrain, split, tmp_path, capsys):
    np.save(tmp_path / "wanted.npy", split.rows("test"))
    assert pretrain("--rows", tmp_path / "wanted.npy") == 3
    assert "hidden role test" in capsys.readouterr().err


def test_data_without_a_split_are_refused(pretrain, capsys):
    assert pretrain(split=False) == 3
    assert "which rows are hidden is not known" in capsys.readouterr().err


def test_help_shows_examples_and_the_console_script_leads_here(capsys):
    with pytest.raises(SystemExit):
        main(["pretrain", "--help"])
    assert "Example: `perturbfm pretrain" in capsys.readouterr().out
    script = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]["perturbfm"]
    module, _, name = script.partition(":")
    assert getattr(import_module(module), name) is main


def test_every_command_of_the_page_is_understood():
    page = (ROOT / "docs" / "how-to" / "pretrain.md").read_text()
    commands = re.findall(r"\bperturbfm (pretrain [^`\n]+)", page)
    assert len(commands) == 3
    for command in commands:
        assert parser().parse_args(shlex.split(command)).split

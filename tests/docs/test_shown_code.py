"""Code that a how-to shows does what the page says of it."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from harness.contract.manifest import load_manifest
from harness.datasets.dataset import PerturbDataset
from harness.errors import HarnessError
from harness.metrics import effect_error
from harness.metrics.inputs import ConditionEffects
from harness.splits.create import freeze_checked
from harness.splits.leaks import Case, check_leaks

HOW_TO = Path(__file__).parents[2] / "docs" / "how-to"


def shown(page: str, language: str, number: int = 0) -> str:
    text = (HOW_TO / page).read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)[number]


def test_the_metric_that_is_shown_has_its_card_and_its_value() -> None:
    names = dict(vars(effect_error))
    exec(shown("add-a-metric.md", "python"), names)
    mae = names["mae"]
    observed, predicted = np.array([1.0, 2.0, 9.0]), np.array([0.0, 4.0, 0.0])
    effects = ConditionEffects(observed, predicted, None, (2,), None, None, None, None)
    assert mae(effects) == 1.5, "the own target is left out"
    assert (mae.card.name, mae.card.direction.value, mae.card.optimum) == ("mae", "lower", 0.0)
    assert mae(replace(effects, targets=(0, 1, 2))).reason == "every gene is a target of the perturbation"
    assert {"METRICS", "NAMES"} <= set(names), "where the page says that it is entered"


def test_the_regime_that_is_shown_makes_a_split_and_its_rule_finds_a_leak(
    preset_dataset: Callable[..., PerturbDataset],
) -> None:
    dataset = preset_dataset("demo")
    names: dict[str, object] = {}
    exec(shown("add-a-split-regime.md", "python"), names)
    generate, rules = names["generate"], names["RULES"]
    made = generate(dataset, seed=0)  # type: ignore[operator]
    split = freeze_checked(dataset, made, "rare_context", rules, name="rare_context")  # type: ignore[arg-type]
    assert list(split.ood_axes) == ["context"]
    with pytest.raises(HarnessError, match="no context is left to train on"):
        generate(dataset, seed=0, n_test=99)  # type: ignore[operator]
    moved = made.role_of.copy()
    moved[np.flatnonzero(~dataset.obs.is_control & (moved == 3))[0]] = 0
    with pytest.raises(HarnessError, match="stands in train and test"):
        check_leaks(Case(dataset, moved, made.params), rules)  # type: ignore[arg-type]


@pytest.mark.skipif(shutil.which("Rscript") is None, reason="Rscript is not on PATH")
def test_the_model_in_r_predicts_the_mean_of_each_perturbation(handmade_task, tmp_path: Path) -> None:
    task = handmade_task([("c1", "G1"), ("c1", "G2"), ("c2", "G1")], [("c2", "G2"), ("c1", "G3")])
    (tmp_path / "main.R").write_text(shown("wrap-an-r-model.md", "r"), encoding="utf-8")
    (tmp_path / "out").mkdir()
    done = subprocess.run(
        ["Rscript", "--vanilla", "main.R", "--task", task, "--output", tmp_path / "out"],
        cwd=tmp_path, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    mean = np.load(tmp_path / "out" / "predictions" / "mean.npy")
    idx = np.load(tmp_path / "out" / "predictions" / "idx.npy")
    assert mean.dtype == np.float32
    assert idx.dtype == np.int64
    table = [line.split("\t") for line in (task / "query" / "obs.tsv").read_text().splitlines()]
    asked = {int(row[0]): row[1] for row in table[1:]}
    assert sorted(idx) == sorted(asked)
    gene = {"G2": 2, "G3": None}
    for row, values in zip(idx, mean, strict=True):
        moved = gene[asked[row]]
        if moved is not None:
            assert values[moved] == pytest.approx(1.0, abs=0.2), "one known condition of G2, in c1"
        else:
            assert values[1] == pytest.approx((1.0 + 0.0 + 1.5) / 3, abs=0.2), "never seen: the mean of all"


def test_the_manifest_lines_that_pages_show_are_valid(tmp_path: Path) -> None:
    manifest = (
        'schema = 1\nname = "r"\nversion = "1.0.0"\ntitle = "r"\nauthors = ["me"]\nlicense = "MIT"\n'
        + shown("wrap-an-r-model.md", "toml")
    )
    (tmp_path / "submission.toml").write_text(manifest, encoding="utf-8")
    assert load_manifest(tmp_path).run.command == ["Rscript", "--vanilla", "main.R"]
    manifest = manifest.replace(shown("wrap-an-r-model.md", "toml"), shown("wrap-an-r-model.md", "toml", 1))
    (tmp_path / "submission.toml").write_text(manifest, encoding="utf-8")
    assert load_manifest(tmp_path).run.build == "Containerfile"

"""The SDK runs from the task folder with numpy alone, and as a program."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import harness.sdk
from harness.sdk import EXIT_ERROR, EXIT_MISSING_PACKAGE, EXIT_OUT_OF_MEMORY

KNOWN = [("c0", "G1"), ("c0", "G2"), ("c1", "G1")]
ASKED = [("c1", "G2"), ("c1", "G1+G2")]
ONLY_NUMPY = """
import sys
from importlib.abc import MetaPathFinder
class Wall(MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        top = name.partition(".")[0]
        if top in sys.stdlib_module_names or top in ("numpy", "harness"):
            return None
        raise ModuleNotFoundError(f"only numpy and the standard library are here, not {name}", name=name)
sys.meta_path.insert(0, Wall())
sys.path.insert(0, sys.argv[1])
from harness.sdk import Predictions, load_task
import harness.sdk, numpy as np
assert harness.sdk.__file__.startswith(sys.argv[1]), harness.sdk.__file__
task = load_task(sys.argv[1])
task.train_delta(); task.inner_split("condition"); task.conditions("train"); task.mask([("G1",)])
Predictions(np.zeros((len(task.query), len(task.genes)))).save(sys.argv[2], task)
"""


@pytest.fixture
def run(handmade_task, tmp_path: Path):
    """Run `python -m harness.sdk` on a program written to an empty folder."""

    def start(code: str, target: str = "main:predict") -> subprocess.CompletedProcess[str]:
        folder = tmp_path / "submission"
        folder.mkdir()
        (folder / "main.py").write_text(code)
        task, output = handmade_task(KNOWN, ASKED), tmp_path / "output"
        command = [sys.executable, "-m", "harness.sdk", target, "--task", str(task), "--output", str(output)]
        return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60)

    return start


def test_a_copy_in_the_task_folder_needs_numpy_alone(handmade_task, tmp_path):
    task = handmade_task(KNOWN, ASKED)
    (task / "harness").mkdir()
    shutil.copyfile(harness.sdk.__file__, task / "harness" / "sdk.py")
    site = str(Path(np.__file__).parents[1])
    code = f"import sys; sys.path.append({site!r})\n" + ONLY_NUMPY
    command = [sys.executable, "-I", "-S", "-c", code, str(task), str(tmp_path / "out")]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=60, env={"PATH": os.environ["PATH"]}
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out" / "predictions.npz").exists()


@pytest.mark.parametrize(
    ("code", "target"),
    [
        ("def predict(task): return P(N.zeros((len(task.query), len(task.genes))))", "main:predict"),
        ("class M:\n  def predict(self, task): return P(N.zeros((len(task.query), 12)))", "main:M"),
        ("class M:\n  def predict(self, task): return P(N.zeros((len(task.query), 12)))\nm = M()", "main:m"),
        ("def predict(task): P(N.zeros((len(task.query), 12))).save()", "main:predict"),
    ],
    ids=["function", "class", "instance", "saves itself"],
)
def test_a_submission_is_a_function_a_class_or_an_object(run, tmp_path, code, target):
    done = run("import numpy as N\nfrom harness.sdk import Predictions as P\n" + code, target)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "output" / "predictions.npz").exists()


@pytest.mark.parametrize(
    ("code", "exit_code", "said"),
    [
        ("def predict(task): raise ValueError('no convergence')", EXIT_ERROR, "ValueError: no convergence"),
        (
            "import a_package_of_nobody",
            EXIT_MISSING_PACKAGE,
            "package 'a_package_of_nobody' is not installed",
        ),
        ("def predict(task): raise MemoryError", EXIT_OUT_OF_MEMORY, "MemoryError"),
        ("def predict(task): pass", EXIT_ERROR, "returned nothing and saved nothing"),
        ("def other(task): pass", EXIT_ERROR, "has no attribute 'predict'"),
    ],
)
def test_every_failure_has_its_exit_code_and_its_reason(run, code, exit_code, said):
    done = run(code)
    assert done.returncode == exit_code
    assert said in done.stderr


def test_a_module_that_does_not_exist_is_an_error_and_no_missing_package(run):
    done = run("", "elsewhere:predict")
    assert done.returncode == EXIT_ERROR
    assert "No module named 'elsewhere'" in done.stderr

"""`import harness`: a dozen names, each imported when it is first used."""

from __future__ import annotations

import ast
import inspect
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest

import harness


@pytest.mark.parametrize("name", harness.__all__)
def test_a_public_name_is_what_its_module_defines(name):
    value = getattr(harness, name)
    assert value.__module__.startswith("harness.")
    assert inspect.getdoc(value)
    assert name in dir(harness)


def test_type_checkers_are_told_of_the_same_names():
    tree = ast.parse(Path(harness.__file__).read_text())
    told = {a.name for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) for a in node.names}
    assert told - {"import_module", "TYPE_CHECKING"} == set(harness.__all__) == set(harness._HOME)


def test_importing_the_package_imports_nothing_else():
    code = "import sys, harness; print({m for m in sys.modules if m.startswith('harness.')} | {'numpy'} & {*sys.modules})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'open_datset'"):
        _ = harness.open_datset


def test_the_line_of_the_docstring_leads_from_a_dataset_to_scores(tiny_dataset, tmp_path, monkeypatch):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "demo").symlink_to(tiny_dataset.path)
    monkeypatch.chdir(tmp_path)
    split = harness.create_split(tiny_dataset, "context_ood")
    task = harness.build_task(tiny_dataset, split, "val", cache=Path("data/.tasks"))
    shape = (task.card.n_query, len(task.card.genes))
    np.savez("predictions.npz", mean=np.zeros(shape, np.float32), idx=np.arange(shape[0]))
    lines = [line for line in (harness.__doc__ or "").splitlines() if line.startswith("    ")]
    known = {"harness": harness, "Path": Path}
    exec(textwrap.dedent("\n".join(lines)), known)
    assert known["evaluation"].document["task"]["name"] == task.card.name

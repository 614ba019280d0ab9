"""An artifact appears whole or not at all, and says what it holds."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from harness.datasets.builder import Rows
from harness.datasets.dataset import open_dataset, verify_content
from harness.datasets.obs import Labels, Pool
from harness.errors import ExistsError, HarnessError

Build = Callable[..., Path]


def rows_of(pert: list[str], **columns: object) -> Rows:
    n = len(pert)
    is_control = np.array([p == "control" for p in pert])
    one = Labels.of(["x"] * n)
    rows = Rows(Labels.of(pert), one, one, is_control, pa.array([str(i) for i in range(n)]), columns)  # type: ignore[arg-type]
    return rows.take(rows.order())


def test_what_was_built_reads_back_with_the_same_content_hash(small_artifact: Path) -> None:
    dataset = open_dataset(small_artifact)
    verify_content(dataset)
    assert dataset.counts is not None
    assert dataset.counts.dtype == np.uint8
    assert dataset.obs.intervention == ("dose",)
    np.testing.assert_array_equal(dataset.delta(np.arange(9)), dataset.X[:9] - dataset.X[dataset.control[:9]])


def test_names_that_no_row_bears_leave_no_trace_in_the_hash(build: Build, tmp_path: Path) -> None:
    plain = rows_of(["control"] * 40 + ["A"] * 8)
    wide = rows_of(["control"] * 40 + ["A"] * 8 + ["unused"]).take(np.arange(48))
    make = {"counts_dtype": None, "embeddings": {}}
    pad = {"rows": plain, "perturbations": {"A": ["A"]}}
    first = _build_constant(build, tmp_path / "one", **make, **pad)
    second = _build_constant(
        build, tmp_path / "two", **make, rows=wide, perturbations={"A": ["A"], "unused": ["B"]}
    )
    assert first == second


def _build_constant(build: Build, out: Path, **told: object) -> str:
    from harness.datasets.builder import build_dataset
    from harness.datasets.meta import Preprocessing

    said = Preprocessing(found="counts", steps=[], gene_space="all")
    with build_dataset(out, name="d", genes=["A", "B"], preprocessing=said, **told) as arrays:  # type: ignore[arg-type]
        arrays.X[...] = np.random.default_rng(5).random(arrays.X.shape)
    dataset = open_dataset(out)
    verify_content(dataset)
    return dataset.data_hash


def test_the_mean_rule_subtracts_the_mean_of_pool_a(build: Build, tmp_path: Path) -> None:
    dataset = open_dataset(build(tmp_path / "mean", matching="mean"))
    verify_content(dataset)
    assert (dataset.control == -1).all(), "no single cell is the control"
    row = int(np.flatnonzero(~dataset.obs.is_control)[0])
    obs = dataset.obs
    same = (
        obs.in_pool(Pool.A)
        & (obs.context.codes == obs.context.codes[row])
        & (obs.batch.codes == obs.batch.codes[row])
    )
    np.testing.assert_allclose(
        dataset.delta(np.array([row]))[0], dataset.X[row] - dataset.X[same].mean(axis=0), rtol=1e-4, atol=1e-6
    )


def test_paired_rows_share_all_controls_because_none_can_be_held_back(build: Build, tmp_path: Path) -> None:
    base = open_dataset(build(tmp_path / "base"))
    obs = base.obs
    first = {code: int(np.flatnonzero(obs.is_control & (obs.context.codes == code))[0]) for code in (0, 1)}
    paired = np.array([first[code] for code in obs.context.codes])
    dataset = open_dataset(build(tmp_path / "paired", matching="paired", paired=paired))
    assert set(dataset.meta.pools.modes.values()) == {"shared-controls"}
    np.testing.assert_array_equal(dataset.control[~obs.is_control], paired[~obs.is_control])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"genes": ["A", "B", "A"]}, "more than once"),
        ({"genes": ["A", "B", ""]}, "cannot stand in a table"),
        ({"control_label": "ctrl"}, "disagree"),
        ({"matching": "paired"}, "needs the control row"),
    ],
)
def test_a_build_that_cannot_be_is_refused_and_leaves_nothing(
    build: Build, tmp_path: Path, changes: dict[str, object], message: str
) -> None:
    with pytest.raises(HarnessError, match=message):
        build(tmp_path / "refused", **changes)
    assert list(tmp_path.iterdir()) == []


def test_a_covariate_with_a_name_of_the_row_table_is_refused(build: Build, tmp_path: Path) -> None:
    rows = rows_of(["control"] * 118 + ["A", "A+B"], role=Labels.of(["u"] * 120))
    with pytest.raises(HarnessError, match="names of the row table"):
        build(tmp_path / "refused", rows=rows)


def test_a_value_that_is_not_finite_is_refused_with_its_place(tmp_path: Path) -> None:
    from harness.datasets.builder import build_dataset
    from harness.datasets.meta import Preprocessing

    said = Preprocessing(found="counts", steps=[], gene_space="all")
    rows = rows_of(["control"] * 10)
    with (
        pytest.raises(HarnessError, match="not finite") as refused,
        build_dataset(
            tmp_path / "d", name="d", genes=["A", "B"], rows=rows, perturbations={}, preprocessing=said
        ) as arrays,
    ):
        arrays.X[7, 1] = np.nan
    assert refused.value.where == "row 7, column 1"
    assert list(tmp_path.iterdir()) == []


def test_an_artifact_is_never_written_over(build: Build, small_artifact: Path) -> None:
    with pytest.raises(ExistsError):
        build(small_artifact)


CHILD = """
import sys, time
from pathlib import Path
import numpy as np, pyarrow as pa
from harness.datasets.builder import Rows, build_dataset
from harness.datasets.meta import Preprocessing
from harness.datasets.obs import Labels
one = Labels.of(["x"] * 40)
rows = Rows(Labels.of(["control"] * 40), one, one, np.ones(40, bool), pa.array([str(i) for i in range(40)]))
said = Preprocessing(found="counts", steps=[], gene_space="all")
with build_dataset(Path(sys.argv[1]), name="d", genes=["A"], rows=rows, perturbations={}, preprocessing=said) as arrays:
    arrays.X[:20] = 1
    print("half", flush=True)
    if sys.argv[2] == "wait":
        time.sleep(60)
"""


def test_a_build_killed_with_signal_9_leaves_nothing_under_its_name_and_the_next_one_sweeps(
    tmp_path: Path,
) -> None:
    out = tmp_path / "d"
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD, str(out), "wait"], stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    assert child.stdout.readline() == "half\n"
    child.send_signal(signal.SIGKILL)
    assert child.wait() == -signal.SIGKILL
    child.stdout.close()
    assert not out.exists()
    assert len(list(tmp_path.iterdir())) == 1, "the hidden half is still there"
    started = time.monotonic()
    subprocess.run([sys.executable, "-c", CHILD, str(out), "go"], check=True, capture_output=True)
    assert time.monotonic() - started < 30
    assert list(tmp_path.iterdir()) == [out]
    assert open_dataset(out).n_obs == 40

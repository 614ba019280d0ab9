"""What is written for SLURM and what is made of its answers, without a cluster."""

from __future__ import annotations

import subprocess
import time

import pytest

from harness.errors import HarnessError
from harness.schedulers.batch import Needs, unwritten
from harness.schedulers.batch_plan import plan_batch
from harness.schedulers.slurm.arrays import packed
from harness.schedulers.slurm.client import SchedulerError, check_usable, endings
from harness.schedulers.slurm.launch import rehearse
from harness.schedulers.slurm.options import directives, slurm_options
from harness.schedulers.slurm.script import directive
from harness.schedulers.submit import plan_run

NEEDS = Needs(cpus=4, memory_bytes=8 << 30, seconds=1800, gpus=1)


def test_a_run_asks_for_what_its_manifest_says_and_room_for_the_harness():
    asked = directives(slurm_options({}, {}), "run", NEEDS, 1)
    assert asked == ["--gres=gpu:1", "--cpus-per-task=4", "--mem=10240M", "--time=0-00:40:00"]
    assert "--time=0-02:10:00" in directives(slurm_options({}, {}), "run", NEEDS, 4)


def test_the_command_line_wins_over_the_site_and_the_site_over_the_manifest():
    options = slurm_options({"partition": "gpu", "mem": "4G", "account": "lab"}, {"mem": "6G", "qos": None})
    asked = directives(options, "run", NEEDS, 1)
    assert {"--partition=gpu", "--mem=6G", "--account=lab"} <= set(asked)


def test_scoring_asks_for_no_gpu():
    options = slurm_options({"gres": "gpu:l40s:1", "partition": "gpu", "score_partition": "cpu"}, {})
    asked = directives(options, "score", NEEDS, 1)
    assert "--partition=cpu" in asked
    assert not any("gres" in one for one in asked)


@pytest.mark.parametrize(
    "told",
    [
        {"partiton": "gpu"},
        {"partition": "gpu\n#SBATCH --uid=0"},
        {"account": "a b"},
        {"sbatch": ["--comment=$(rm)"]},
        {"mem": "lots"},
        {"array_limit": 0},
    ],
)
def test_an_option_that_is_unknown_or_more_than_a_word_is_refused(told):
    with pytest.raises(HarnessError, match="SlurmOptions is refused"):
        slurm_options(told, {})


@pytest.mark.parametrize("path", ['/a"b', "/a\nb", "/a\\b"])
def test_a_path_that_would_break_out_of_its_line_is_refused(path):
    with pytest.raises(HarnessError, match="cannot be written into a job script"):
        directive(path)


def test_the_scripts_of_a_batch_are_bash_that_can_be_read(request_for, tmp_path):
    plans = [plan_run(request_for(seed=seed)) for seed in range(3)]
    options = slurm_options({"setup": ["module load apptainer"], "array_limit": 2}, {}).document()
    batch = unwritten(plan_batch(plans, on="slurm", root=tmp_path / "a folder", slurm=options, name="b"))
    text = rehearse(batch)
    assert not batch.path.exists()
    assert "#SBATCH --array=0-2%2\n" in text
    assert f'#SBATCH --chdir="{tmp_path}/a folder"\n' in text
    assert "\nmodule load apptainer\n" in text
    assert [line for line in text.splitlines() if line.startswith("# ----")] == [
        "# ---- b.1.run",
        "# ---- b.2.score, each element after the run of its number",
        "# ---- b.3.collect, after all others have ended",
    ]
    subprocess.run(["bash", "-n"], input=text, text=True, check=True)


def test_parts_that_ask_for_different_machines_go_into_arrays_of_their_own(request_for, tmp_path):
    plans = [plan_run(request_for(seed=0)), plan_run(request_for(seed=1, memory="4G"))]
    batch = unwritten(plan_batch(plans, on="slurm", root=tmp_path, slurm={}, name="b"))
    assert [line for line in rehearse(batch).splitlines() if "--mem=" in line][:3:2] == [
        "#SBATCH --mem=4096M",
        "#SBATCH --mem=6144M",
    ]


def test_many_parts_are_cut_into_tasks_and_arrays():
    assert packed([3, 1, 2, 5, 4], 2, 2) == [[[1, 2], [3, 4]], [[5]]]


def test_a_configuration_that_is_missing_is_said_at_once(monkeypatch, tmp_path):
    monkeypatch.setenv("SLURM_CONF", str(tmp_path / "none.conf"))
    started = time.monotonic()
    with pytest.raises(SchedulerError, match="not configured") as refusal:
        check_usable()
    assert time.monotonic() - started < 5
    assert refusal.value.code == 15


def test_accounting_is_believed_only_with_as_many_elements_as_the_array_has(monkeypatch, tmp_path):
    """For seconds after an array's end the real one answers with a single line, `COMPLETED`."""
    monkeypatch.delenv("SLURM_CONF", raising=False)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    answer = tmp_path / "answer"
    for name, text in (("sbatch", "exit 0"), ("sacct", f"cat {answer}")):
        (tmp_path / name).write_text(f"#!/bin/sh\n{text}\n")
        (tmp_path / name).chmod(0o755)
    answer.write_text("28|COMPLETED\n")
    assert endings("28", 3) == {}
    answer.write_text("28_0|COMPLETED\n28_1|FAILED\n28_2|CANCELLED by 0\n")
    assert endings("28", 3) == {0: "COMPLETED", 1: "FAILED", 2: "CANCELLED"}
    (tmp_path / "sacct").write_text("#!/bin/sh\necho 'Slurm accounting storage is disabled' >&2\nexit 1\n")
    assert endings("28", 3) == {}

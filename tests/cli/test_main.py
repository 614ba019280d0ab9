"""The root of the command line: fast help, completion, endings that a shell understands."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import time

import pytest

from harness.cli.main import VERBS, load
from harness.errors import ExitCode

HARNESS = [sys.executable, "-m", "harness.cli.main"]


def test_help_lists_every_verb(run_harness):
    done = run_harness("--help")
    assert done.returncode == 0
    assert all(verb in done.stdout for verb in VERBS)


def test_help_takes_less_than_a_third_of_a_second_warm():
    def cpu_seconds() -> float:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([*HARNESS, "--help"], stdout=subprocess.DEVNULL, check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    cpu_seconds()
    assert min(cpu_seconds() for _ in range(5)) < 0.3


def test_help_imports_nothing_heavy():
    code = (
        "import sys; from harness.cli.main import app; from typer.testing import CliRunner\n"
        "assert CliRunner().invoke(app, ['--help']).exit_code == 0\n"
        "heavy = {'numpy', 'pyarrow', 'pydantic', 'scipy', 'anndata', 'torch'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("verb", sorted(VERBS))
def test_every_verb_loads_and_its_help_has_an_example(verb):
    command = load(VERBS[verb][0])
    leaves = getattr(command, "commands", {verb: command})
    for name, leaf in leaves.items():
        assert "Example: `harness" in (leaf.help or ""), f"{verb} {name}"


def test_a_mistyped_verb_is_answered_with_the_nearest(run_harness):
    done = run_harness("submti")
    assert done.returncode == 2
    assert "Did you mean 'submit'" in done.stderr


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("harness sub", {"submit", "submissions"}),
        ("harness runs ", {"list", "show", "prune"}),
        ("harness submit ", {"zeros"}),
        ("harness submit zeros@", {"zeros@high"}),
        ("harness submit zeros --task t", {"tiny:context_ood"}),
        ("harness submit zeros --split ", {"context_ood"}),
        ("harness eval predictions --data ", {"tiny"}),
    ],
)
def test_completion_knows_what_exists(run_harness, words, expected):
    position = len(words.split()) - (0 if words.endswith(" ") else 1)
    done = run_harness(_HARNESS_COMPLETE="complete_bash", COMP_WORDS=words, COMP_CWORD=str(position))
    assert set(done.stdout.split()) == expected


def test_a_bug_keeps_its_traceback(project):
    code = (
        "import sys, harness.cli.main as main\n"
        "main.load = lambda target: 1 / 0\n"
        "sys.argv = ['harness', 'runs', 'list']\n"
        "main.main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=project, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "Traceback" in done.stderr
    assert "ZeroDivisionError" in done.stderr


def test_a_reader_that_leaves_is_no_traceback(project):
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        [*HARNESS, "submissions", "list", "--json"],
        cwd=project,
        stdout=write,
        stderr=subprocess.PIPE,
        check=False,
    )
    os.close(write)
    assert done.stderr == b""


def test_ctrl_c_exits_130_and_leaves_a_run_that_says_interrupted(project, run_harness):
    (project / "submissions" / "zeros" / "main.py").write_text(
        "import os, time\ndef submission(task):\n"
        "    open(os.environ['HARNESS_OUTPUT'] + '/started', 'w').close()\n    time.sleep(60)\n"
    )
    harness = subprocess.Popen(
        [*HARNESS, "submit", "zeros"], cwd=project, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    until = time.monotonic() + 60
    while not list((project / "runs").rglob("output/started")) and time.monotonic() < until:
        time.sleep(0.02)
    harness.send_signal(signal.SIGINT)
    out, err = harness.communicate(timeout=60)
    assert harness.returncode == 130
    assert "status: interrupted" in out
    assert "Traceback" not in err


def test_what_the_system_refuses_is_said_in_a_few_lines(run_harness):
    done = run_harness("data", "make-synth", "--preset", "tiny", "--out", "x" * 300)
    assert done.returncode == ExitCode.SYSTEM
    assert "Traceback" not in done.stderr
    assert "File name too long" in done.stderr
    assert "shorter name" in done.stderr


def test_a_file_where_a_folder_is_needed_is_refused(project, run_harness):
    (project / "taken").touch()
    for place in ("taken/x", "taken/x/y"):
        done = run_harness("data", "make-synth", "--preset", "tiny", "--out", place)
        assert done.returncode in (ExitCode.EXISTS, ExitCode.SYSTEM)
        assert "Traceback" not in done.stderr
        assert "choose another folder" in done.stderr


def test_a_terminal_without_arrows_gets_question_marks(project):
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    done = subprocess.run(
        [*HARNESS, "submit", "zeros", "--no-controls"],
        cwd=project,
        env=environment,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert b"wmse ?" in done.stdout

"""The scripts that are handed in: `containers/slurm/*.sh.j2`, one template a kind of job."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from harness.errors import HarnessError
from harness.schedulers.batch import LOGS, SCRIPTS, Batch
from harness.schedulers.slurm.arrays import Array
from harness.schedulers.slurm.options import SlurmOptions, directives
from harness.scoring.threads import CAPS
from harness.storage import write_text

TEMPLATES = {"run": "run_array", "score": "score_array", "shard": "shard_array", "collect": "collect"}
NOT_IN_A_DIRECTIVE = '"\\\n\r'


def script_text(batch: Batch, array: Array, options: SlurmOptions) -> str:
    """The whole script of one array."""
    step = None if array.step == "collect" else array.step
    needs = batch.part(array.tasks[0][0]).needs
    limit = f"%{options.array_limit}" if options.array_limit and step != "score" else ""
    facts: dict[str, Any] = {
        "title": f"{len(array.tasks)} × {array.step} of batch {batch.name}",
        "name": array.name,
        "root": batch.plan.root,
        "log": f"{batch.path / LOGS}".replace("%", "%%") + f"/{log_name(array)}",
        "array": f"0-{len(array.tasks) - 1}{limit}",
        "options": directives(options, step, needs, max(len(task) for task in array.tasks)),
        "thread_caps": CAPS,
        "setup": options.setup,
        "python": sys.executable,
        "step": array.step,
        "batch": str(batch.path),
        "number": array.number,
    }
    rendered: str = _environment().get_template(f"{TEMPLATES[array.step]}.sh.j2").render(facts)
    return rendered


def write_script(batch: Batch, array: Array, options: SlurmOptions) -> Path:
    """Leave the script of an array in the batch's folder."""
    path = batch.path / SCRIPTS / f"{array.number:04}-{array.step}.sh"
    write_text(path, script_text(batch, array, options))
    return path


def log_name(array: Array, index: int | None = None) -> str:
    """The log of an array's element; without one, as SLURM is told it."""
    if array.step == "collect":
        return f"{array.number:04}-collect.out"
    return f"{array.number:04}-{array.step}-{'%a' if index is None else index}.out"


def directive(text: str) -> str:
    """A path in an #SBATCH line."""
    if any(sign in text for sign in NOT_IN_A_DIRECTIVE):
        raise HarnessError(
            "this path cannot be written into a job script", where=text, mend="choose another folder"
        )
    return f'"{text}"'


@cache
def _environment() -> Any:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(  # noqa: S701 - shell, not HTML; every value goes through `shell`, `directive` or a pattern
        loader=FileSystemLoader(_templates()),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["shell"] = shlex.quote
    environment.filters["directive"] = directive
    return environment


def _templates() -> Sequence[Path]:
    """Beside this module where the harness is installed, in the repository where it is worked on."""
    return [Path(__file__).parent / "templates", Path(__file__).parents[3] / "containers" / "slurm"]

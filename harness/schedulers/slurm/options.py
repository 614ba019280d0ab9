"""What is asked of a SLURM cluster: the site's answers from `[slurm]` of `harness.toml`, then those of the command line."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from pydantic import Field, StringConstraints

from harness.contract.models import Record
from harness.schedulers.batch import Needs, Step

Word = Annotated[str, StringConstraints(pattern=r"^[^\s\x00-\x1f\x7f\"'\\`$]{1,200}$")]
"""One word without blanks, quotes or signs of the shell: it is written into a script."""
Setup = Annotated[str, StringConstraints(pattern=r"^[^\x00-\x1f\x7f]{1,500}$")]
"""One line of shell."""
Memory = Annotated[str, StringConstraints(pattern=r"^[0-9]+[KMGT]?$")]
Time = Annotated[str, StringConstraints(pattern=r"^([0-9]+-)?[0-9]{1,2}(:[0-9]{2}){0,2}$")]

OWN_MEMORY = 2 << 30
"""Beside what the submission may use: the harness itself, which builds the task and reads what came out."""
OWN_SECONDS = 600
"""Beside the submission's own limit, which the harness keeps; SLURM's limit is only the backstop."""


class SlurmOptions(Record):
    """`[slurm]` of `harness.toml`; each may be given to `harness submit --on slurm` too."""

    partition: Word | None = None
    account: Word | None = None
    qos: Word | None = None
    gres: Word | None = None
    """For the runs; by default the GPUs that a manifest asks for."""
    constraint: Word | None = None
    time: Time | None = None
    """By default the manifest's own limit and ten minutes."""
    mem: Memory | None = None
    """By default the manifest's own limit and 2 G."""
    cpus: Annotated[int, Field(ge=1)] | None = None
    array_limit: Annotated[int, Field(ge=1)] | None = None
    """How many runs may be on at one time."""
    pack: Annotated[int, Field(ge=1)] = 1
    """How many runs one array task does, one after the other; for runs of seconds."""
    score_partition: Word | None = None
    """Where the scoring jobs go, which need no GPU; by default the same."""
    score_cpus: Annotated[int, Field(ge=1)] = 1
    score_mem: Memory = "8G"
    score_time: Time = "04:00:00"
    sbatch: list[Word] = []
    """More options as sbatch takes them: `--reservation=night`."""
    setup: list[Setup] = []
    """Lines of shell before the harness starts: `module load apptainer`."""


def slurm_options(site: Mapping[str, Any], told: Mapping[str, Any]) -> SlurmOptions:
    """The site's options, changed by what was told."""
    given = {key: value for key, value in told.items() if value not in (None, [])}
    SlurmOptions.read(dict(site), where="[slurm] of harness.toml", mend="see docs/how-to/slurm.md")
    return SlurmOptions.read(
        {**site, **given}, where="options of --on slurm", mend="see docs/how-to/slurm.md"
    )


def directives(options: SlurmOptions, step: Step | None, needs: Needs, pack: int) -> Sequence[str]:
    """What a script asks sbatch for; `step` None is the last job, which only looks at what is there."""
    if step == "run":
        asked = {
            "partition": options.partition,
            "gres": options.gres or (f"gpu:{needs.gpus}" if needs.gpus else None),
            "constraint": options.constraint,
            "cpus-per-task": options.cpus or needs.cpus,
            "mem": options.mem or _mebibytes(needs.memory_bytes + OWN_MEMORY),
            "time": options.time or _minutes(needs.seconds * pack + OWN_SECONDS),
        }
    else:
        asked = {
            "partition": options.score_partition or options.partition,
            "cpus-per-task": options.score_cpus if step else 1,
            "mem": options.score_mem,
            "time": options.score_time,
        }
    asked |= {"account": options.account, "qos": options.qos}
    return [*(f"--{key}={value}" for key, value in asked.items() if value is not None), *options.sbatch]


def _mebibytes(n_bytes: int) -> str:
    return f"{math.ceil(n_bytes / 2**20)}M"


def _minutes(seconds: int) -> str:
    """SLURM counts whole minutes."""
    minutes = math.ceil(seconds / 60)
    return f"{minutes // 1440}-{minutes % 1440 // 60:02}:{minutes % 60:02}:00"

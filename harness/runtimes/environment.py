"""The environment variables of a run: a whitelist of the caller's, a private home, thread caps, the contract's own."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path

from harness.runtimes.protocol import Job
from harness.storage import canonical_json

INHERITED = ("LANG", "LC_ALL", "LC_CTYPE", "TZ", "LD_LIBRARY_PATH", "SSL_CERT_FILE")
GPU_INHERITED = ("CUDA_VISIBLE_DEVICES", "CUDA_HOME", "NVIDIA_VISIBLE_DEVICES", "NVIDIA_DRIVER_CAPABILITIES")
THREAD_CAPS = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "BLIS_NUM_THREADS",
    "NUMBA_NUM_THREADS",
    "RAYON_NUM_THREADS",
)
SYSTEM_PATH = "/usr/local/bin:/usr/bin:/bin"


@dataclass(frozen=True)
class Places:
    """Where a run finds its things, by the names that exist for it."""

    task: str
    output: str
    home: str
    temporary: str
    search_path: str


def outside_places(job: Job, scratch: Path) -> Places:
    """The places of a run that sees this machine as it is, with a home and temporary folder made in `scratch`."""
    home, temporary = scratch / "home", scratch / "tmp"
    home.mkdir()
    temporary.mkdir()
    path = f"{Path(sys.executable).parent}:{os.environ.get('PATH', SYSTEM_PATH)}"
    return Places(
        str(job.task.absolute()), str(job.output.absolute()), str(home), str(temporary), search_path=path
    )


def clean_environment(job: Job, places: Places) -> dict[str, str]:
    """Everything a run is told by environment; the caller's secrets, home and Python path stay behind."""
    wanted = INHERITED + (GPU_INHERITED if job.manifest.resources.gpus else ())
    environment = {name: os.environ[name] for name in wanted if name in os.environ}
    if not job.manifest.resources.gpus:
        environment["CUDA_VISIBLE_DEVICES"] = ""
    environment |= {name: str(job.limits.cpus) for name in THREAD_CAPS}
    environment["OMP_WAIT_POLICY"] = "passive"  # threads that spin for each other starve on a busy machine
    environment |= {
        "PATH": places.search_path,
        "HOME": places.home,
        "USER": "submission",
        "XDG_CACHE_HOME": f"{places.home}/.cache",
        "TMPDIR": places.temporary,
        "PYTHONHASHSEED": "0",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONUNBUFFERED": "1",
        "PYTHONNOUSERSITE": "1",
        "HARNESS_TASK": places.task,
        "HARNESS_OUTPUT": places.output,
        "HARNESS_SEED": str(job.seed),
        "HARNESS_PARAMS": canonical_json(dict(job.params)),
    }
    return environment

"""Small containers that answer a question: does it run, is it offline, is there a GPU inside?"""

from __future__ import annotations

import tempfile
from functools import lru_cache
from pathlib import Path

from harness.contract.manifest import Submission
from harness.errors import HarnessError
from harness.runtimes.containers.container import Ended, run_container
from harness.runtimes.containers.engine import Engine, engine_trouble, explain
from harness.runtimes.containers.images import base_image, find_image
from harness.runtimes.containers.layout import PYTHON
from harness.runtimes.containers.options import Spec
from harness.runtimes.containers.watch import ContainerWatch
from harness.runtimes.protocol import Job, Limits

DEVICES = "import glob; print(len(glob.glob('/dev/nvidia[0-9]*')))"
NETWORK = "print(' '.join(line.split(':')[0].strip() for line in open('/proc/net/dev') if ':' in line))"
PROBE_LIMITS = Limits(cpus=1, memory_bytes=256 << 20, seconds=60, tmp_bytes=1 << 20, pids=32)
INIT_MISSING = "container-init binary not found"


def try_base_image(engine: Engine, base: str) -> tuple[str, str] | None:
    """Run a line in the base image; (reason, mend) where that does not work or finds a network."""
    image = find_image(engine, base)
    if image is None:
        return f"no image {base}", "harness image build containers/base.Containerfile"
    try:
        ended = probe(engine, image.digest, NETWORK)
    except engine_trouble() as error:
        told = explain(error)
        if INIT_MISSING in told:
            return "Podman finds no init for containers", "apt-get install catatonit"
        return f"a container cannot be made: {told}", "see the engine's own log"
    words = ended.log.decode("utf-8", "replace").strip()
    if ended.told.get("code") != 0:
        return (
            f"a line in the base image failed: {ended.told.get('cannot_start') or words}",
            f"the base image needs {PYTHON}; see containers/base.Containerfile",
        )
    if words != "lo":
        return f"a container without network still sees {words}", "see the engine's network settings"
    return None


@lru_cache(maxsize=16)
def gpus_inside(engine: Engine, wanted: int) -> int:
    """How many GPUs a container really gets; an engine may take the request and give none."""
    image = find_image(engine, base_image())
    if image is None:
        raise HarnessError(
            "whether a GPU reaches the inside of a container cannot be seen",
            got=f"no image {base_image()}",
            mend="harness image build containers/base.Containerfile",
        )
    try:
        ended = probe(engine, image.digest, DEVICES, gpus=wanted)
    except engine_trouble() as error:
        raise _no_gpu(engine, wanted, explain(error)) from error
    text = ended.log.decode("utf-8", "replace").strip()
    if ended.told.get("code") != 0 or not text.isdigit():
        raise _no_gpu(engine, wanted, str(ended.told.get("cannot_start") or text))
    if int(text) < wanted:
        raise _no_gpu(engine, wanted, f"the engine took the request, and {text} devices are inside")
    return int(text)


def _no_gpu(engine: Engine, wanted: int, got: str) -> HarnessError:
    return HarnessError(
        f"{engine.by} gives no GPU to a container",
        got=got,
        expected=f"{wanted} device(s) /dev/nvidia*",
        mend="install the NVIDIA Container Toolkit on the host, or choose another machine or runtime",
    )


def probe(engine: Engine, image: str, code: str, gpus: int = 0) -> Ended:
    """Run a line of Python with the options of every run."""
    with tempfile.TemporaryDirectory(prefix="harness-probe-") as room:
        output = Path(room, "output")
        output.mkdir()
        spec = Spec(
            image=image,
            argv=[PYTHON, "-c", code],
            entrypoint=[],
            environment={},
            binds=[],
            limits=PROBE_LIMITS,
            gpus=gpus,
        )
        job = Job(_manifest(), Path(room), Path(room), output, Path(room, "log"), {}, 0, PROBE_LIMITS)
        return run_container(engine, spec, job, ContainerWatch(output, PROBE_LIMITS), None)


def _manifest() -> Submission:
    card = {"schema": 1, "name": "probe", "version": "1", "title": "probe", "authors": [], "license": "MIT"}
    return Submission.read({**card, "run": {"command": [PYTHON]}}, where="probe")

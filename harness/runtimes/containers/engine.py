"""A Docker or Podman engine that answers on a socket: which one it is, and which limits it really enforces."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

from harness.errors import HarnessError
from harness.runtimes.protocol import Guarantee

Kind = Literal["docker", "podman"]
KINDS: tuple[Kind, ...] = ("docker", "podman")
VARIABLES: dict[Kind, str] = {"docker": "DOCKER_HOST", "podman": "CONTAINER_HOST"}
ANSWER_SECONDS = 60.0
UNIX = "unix://"
MENDS: dict[Kind, str] = {
    "docker": "start the Docker engine, or let DOCKER_HOST name its socket (unix:///var/run/docker.sock)",
    "podman": "podman system service --time=0 unix:///run/podman/podman.sock, "
    "and let CONTAINER_HOST name the socket",
}


class NoEngineError(HarnessError):
    """No engine of this kind answers here."""


@dataclass(frozen=True)
class Engine:
    """An engine, as it described itself when it was first asked."""

    runtime: Kind
    """Under which name it was looked for."""
    kind: Kind
    """What it is: Podman speaks Docker's language on a Docker socket too."""
    url: str
    version: str
    api: str
    """Version of the API that both sides speak; told to each connection, because Podman takes long to be asked."""
    enforces: frozenset[Guarantee]
    """Which of memory, cpu and pids it can limit."""
    rootless: bool

    @property
    def by(self) -> str:
        """The engine as the one who enforces something."""
        return f"{self.kind} {self.version}"

    @property
    def socket(self) -> str | None:
        """The path of its Unix socket; None for an engine on another machine."""
        return self.url.removeprefix(UNIX) if self.url.startswith(UNIX) else None

    @contextmanager
    def client(self, seconds: float = ANSWER_SECONDS) -> Iterator[Any]:
        """A connection to its API (`docker.APIClient`)."""
        import docker

        client = docker.APIClient(base_url=self.url, version=self.api, timeout=seconds)
        try:
            yield client
        finally:
            client.close()


def find_engine(runtime: Kind) -> Engine:
    """The engine of a kind that answers, or a refusal that says what was tried."""
    tried = []
    for url in candidates(runtime):
        try:
            return _ask(runtime, url)
        except engine_trouble() as error:
            tried.append(f"{url}: {_short(error)}")
    told = os.environ.get(VARIABLES[runtime])
    raise NoEngineError(
        f"no {runtime.capitalize()} engine answers",
        where=f"{VARIABLES[runtime]}={told}" if told else f"{VARIABLES[runtime]} is not set",
        got="; ".join(tried) or "no socket in any of the usual places",
        expected="an engine that answers on a socket; a client program alone is none",
        mend=MENDS[runtime],
    )


def candidates(runtime: Kind) -> list[str]:
    """Where an engine may listen: what the environment says, and nothing else then; otherwise the usual places."""
    told = os.environ.get(VARIABLES[runtime])
    if told:
        return [told]
    user = f"/run/user/{os.getuid()}"
    usual = {
        "docker": ["/var/run/docker.sock", f"{user}/docker.sock"],
        "podman": ["/run/podman/podman.sock", f"{user}/podman/podman.sock"],
    }
    return [UNIX + path for path in usual[runtime] if Path(path).exists()]


@lru_cache(maxsize=16)
def _ask(runtime: Kind, url: str) -> Engine:
    import docker

    if url.startswith(UNIX) and not Path(url.removeprefix(UNIX)).is_socket():
        raise FileNotFoundError("there is no socket of that name")
    client = docker.APIClient(base_url=url, timeout=10)
    try:
        version, info, api = client.version(), client.info(), str(client.api_version)
    finally:
        client.close()
    parts = [str(part.get("Name", "")) for part in version.get("Components") or []]
    kind: Kind = "podman" if any("Podman" in part for part in parts) else "docker"
    rootless = any("rootless" in str(option) for option in info.get("SecurityOptions") or [])
    says = {
        Guarantee.MEMORY: info.get("MemoryLimit"),
        Guarantee.CPU: info.get("CpuCfsQuota"),
        Guarantee.PIDS: info.get("PidsLimit"),
    }
    # a rootless engine on cgroup v1 takes limits, warns where nobody sees it, and ignores them
    ignored = rootless and str(info.get("CgroupVersion", "")) in ("1", "v1")
    enforces = frozenset(one for one, given in says.items() if given and not ignored)
    return Engine(runtime, kind, url, str(version.get("Version", "")), api, enforces, rootless)


def engine_trouble() -> tuple[type[Exception], ...]:
    """What an engine that does not do its work raises."""
    import docker
    import requests

    return (docker.errors.DockerException, requests.RequestException, OSError, ValueError)


def docker_refusals() -> tuple[type[Exception], ...]:
    """What the SDK raises where an engine answered, and said no."""
    import docker

    return (docker.errors.APIError,)


def explain(error: Exception) -> str:
    """What an engine refused, in its own words and one line."""
    return _short(getattr(error, "explanation", None) or error)


def _short(error: object) -> str:
    text = " ".join(str(error).split())
    return text if len(text) <= 300 else text[:299] + "…"

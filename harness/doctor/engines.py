"""Docker and Podman: whoever answers on a socket with the Docker API."""

from __future__ import annotations

import os
import shutil
import socket
from typing import Any, Literal

from harness.doctor.finding import Finding, broken

SECONDS = 20
START = {
    "docker": "start the Docker engine (systemctl start docker), or set DOCKER_HOST to its socket",
    "podman": "start Podman's service (systemctl start podman.socket), or set CONTAINER_HOST to its socket",
}
INSTALL = {
    "docker": "install docker.io (Debian), or see https://docs.docker.com/engine/install",
    "podman": "install podman, then start its service: podman system service --time=0",
}
VARIABLE = {"docker": "DOCKER_HOST", "podman": "CONTAINER_HOST"}


def probe_docker() -> Finding:
    """Docker's engine, found by DOCKER_HOST or on its usual sockets."""
    return probe_engine("docker")


def probe_podman() -> Finding:
    """Podman's service, found by CONTAINER_HOST or on its usual sockets."""
    return probe_engine("podman")


def probe_engine(name: str) -> Finding:
    """The first socket that answers; a client without an engine is named as such."""
    tried = []
    for url in addresses(name):
        silence = nobody_at(url)
        if silence:
            tried.append(f"{url}: {silence}")
            continue
        try:
            version = talk(url, "version")
            answered = "podman" if is_podman(version) else "docker"
            info = talk(url, "info") if answered == name else {}
        except Exception as error:  # the SDK has many, all of them mean: no engine to work with
            tried.append(f"{url}: {type(error).__name__}: {error}")
            continue
        if answered != name:
            tried.append(f"{url}: {answered} answers there, set {VARIABLE[answered]} to it")
            continue
        return Finding(name, True, str(version.get("Version", "")), {"socket": url, **abilities(info)})
    client = shutil.which(name) is not None
    what = f"a {name} client is installed, but no engine answers" if client else f"no {name} engine answers"
    return broken(name, f"{what} ({'; '.join(tried)})", START[name] if client else INSTALL[name])


def addresses(name: str) -> list[str]:
    """Where the engine is looked for; a variable that is set is the only place."""
    told = os.environ.get(VARIABLE[name])
    if told:
        return [told]
    user = f"unix:///run/user/{os.getuid()}"
    if name == "docker":
        return ["unix:///var/run/docker.sock", f"{user}/docker.sock"]
    return ["unix:///run/podman/podman.sock", f"{user}/podman/podman.sock"]


def nobody_at(url: str) -> str:
    """Why nobody can be reached at a Unix socket, in the system's words; nothing where somebody listens."""
    if not url.startswith("unix://"):
        return ""
    with socket.socket(socket.AF_UNIX) as line:
        line.settimeout(SECONDS)
        try:
            line.connect(url.removeprefix("unix://"))
        except OSError as error:
            return error.strerror or str(error)
    return ""


def talk(url: str, about: Literal["version", "info"]) -> dict[str, Any]:
    """The engine's own words on its version, or on its abilities."""
    import docker

    client = docker.DockerClient(base_url=url, timeout=SECONDS)
    try:
        told: dict[str, Any] = getattr(client, about)()
        return told
    finally:
        client.close()


def is_podman(version: dict[str, Any]) -> bool:
    """Whether the Docker API is spoken by Podman."""
    return any("Podman" in str(part.get("Name", "")) for part in version.get("Components") or [])


def abilities(info: dict[str, Any]) -> dict[str, str]:
    """Which limits the engine can set, and how it stores images."""
    limits = [word for word, key in LIMITS.items() if info.get(key)]
    rootless = any("rootless" in str(option) for option in info.get("SecurityOptions") or [])
    return {
        "limits": ", ".join(limits) or "none",
        "cgroup": f"v{info.get('CgroupVersion') or '?'}",
        "storage": str(info.get("Driver", "")),
        "rights": "rootless" if rootless else "root",
    }


LIMITS = {"memory": "MemoryLimit", "cpu": "CpuCfsQuota", "pids": "PidsLimit"}

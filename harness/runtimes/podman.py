"""Runtime `podman`: the same container, of Podman's service."""

from harness.runtimes.containers.runtime import EngineRuntime

RUNTIME = EngineRuntime("podman")

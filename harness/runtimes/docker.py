"""Runtime `docker`: a container of a Docker engine, without network, rights or sight of the host."""

from harness.runtimes.containers.runtime import EngineRuntime

RUNTIME = EngineRuntime("docker")

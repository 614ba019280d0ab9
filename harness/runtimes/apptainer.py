"""Runtime `apptainer`: an image file without a daemon, as clusters have it."""

from harness.runtimes.containers.apptainer_runtime import ApptainerRuntime

RUNTIME = ApptainerRuntime()

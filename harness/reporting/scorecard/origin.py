"""Where a run's numbers were made, and how to make them again."""

from __future__ import annotations

import shlex
from typing import Any

from harness.reporting.scorecard.parts import Parts


def origin_of(parts: Parts) -> dict[str, Any]:
    """Hashes, packages, code revision, machine, time and memory of a run, and the command that repeats it."""
    record, made = parts.record, parts.record.provenance
    return {
        "hashes": {
            "data": record.dataset.hash,
            "split": record.split.hash,
            "genes": record.genes_hash,
            "submission": record.submission.content_hash,
            "task": record.task.hash,
            "configuration": record.config_hash,
            "metrics": record.metrics_version,
            "predictions": record.predictions_sha256,
        },
        "params": {
            name: {"value": value, "source": source}
            for source in ("defaulted", "variant", "passed")
            for name, value in sorted(getattr(parts.config.params, source).items())
        },
        "started": record.started,
        "runtime": record.runtime,
        "isolation": record.isolation,
        "guarantees": None if record.guarantees is None else record.guarantees.model_dump(mode="json"),
        "seed": record.seed,
        "wall_s": record.wall_s,
        "step_s": record.step_s,
        "peak_rss_bytes": record.peak_rss_bytes,
        "energy_j": None,
        "exit_code": record.exit_code,
        "signal": record.signal,
        "rescored_from": record.rescored_from,
        "look": None if record.look is None else record.look.sentence,
        "harness": made.harness_version,
        "python": made.python,
        "platform": made.platform,
        "cpu": made.cpu,
        "n_cpus": made.n_cpus,
        "memory_bytes": made.memory_bytes,
        "git_revision": made.git_revision,
        "git_dirty": made.git_dirty,
        "packages": made.packages,
        "command": made.command,
        "repeat": repeat_command(parts) if parts.sealed else made.command,
        "predictions_kept": record.predictions_kept,
        "files": dict(sorted(record.files.items())),
    }


def repeat_command(parts: Parts) -> str:
    """The command that makes this run again, alone, with everything that was chosen said."""
    config = parts.config
    words = ["harness", "submit", parts.name, "--task", config.task.name]
    words += ["--eval-split", config.task.eval_split, "--seed", str(config.seed), "--runtime", config.runtime]
    for name, value in sorted(config.params.passed.items()):
        words += ["--param", f"{name}={value if isinstance(value, str) else _plain(value)}"]
    if parts.metrics is not None and not parts.record.controls:
        words.append("--no-controls")
    return shlex.join(words)


def _plain(value: object) -> str:
    from harness.storage import canonical_json

    return canonical_json(value)

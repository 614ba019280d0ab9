"""The submission that is audited, as a black box: a task folder in, accepted predictions out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from harness.contract.manifest import Param, Submission, load_manifest
from harness.contract.predictions import Expected, PredictionsFile, open_predictions
from harness.contract.status import RunStatus
from harness.errors import HarnessError
from harness.runtimes.protocol import Job, Limits, Runtime
from harness.runtimes.registry import choose_runtime
from harness.scoring.evaluate import predictions_in
from harness.tasks.folder import Task


@dataclass(frozen=True)
class Subject:
    """A submission with its parameters and the runtime that it runs in."""

    manifest: Submission
    folder: Path
    label: str
    params: Mapping[str, Param]
    runtime: Runtime

    @classmethod
    def of(cls, folder: Path, variant: str | None = None, runtime: str | None = None) -> Subject:
        """From a submission folder; a runtime other than the declared one where it is named."""
        manifest = load_manifest(folder)
        label = manifest.name + (f"@{variant}" if variant else "")
        chosen = choose_runtime(runtime or manifest.run.runtime, "auto")
        return cls(manifest, folder, label, manifest.resolve(variant, {}), chosen)

    def run(self, task: Task, room: Path, *, seed: int = 0, public: Path | None = None) -> PredictionsFile:
        """Run it on a task, or on another public folder of the same task; predictions that are refused are an error."""
        output = room / "output"
        output.mkdir(parents=True)
        job = Job(
            manifest=self.manifest,
            folder=self.folder.absolute(),
            task=public or task.public,
            output=output,
            log=room / "log.txt",
            params=self.params,
            seed=seed,
            limits=Limits.of(self.manifest.resources),
        )
        outcome = self.runtime.run(job)
        path = predictions_in(output)
        if outcome.status is not RunStatus.OK or path is None:
            raise HarnessError(
                f"{self.label} cannot be audited: its run ended as {outcome.status}",
                where=task.card.name,
                got=outcome.detail
                if path is not None or outcome.status is not RunStatus.OK
                else "no predictions",
                mend="harness validate says what is wrong with it",
            )
        needed = self.manifest.claims.uncertainty == "native"
        return open_predictions(path, Expected.of(task.card, var_required=needed))

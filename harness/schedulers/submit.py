"""From a submission and a task to a scored run: build the task, run the submission, validate, score; then one folder."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from harness.contract.content import submission_hash
from harness.contract.manifest import Param, Submission, load_manifest
from harness.contract.predictions import Expected, PredictionsFile, open_predictions
from harness.contract.status import RunStatus
from harness.contract.task import EvalSplit
from harness.controls.baselines import same_rule
from harness.controls.control_set import ControlSet
from harness.datasets.dataset import PerturbDataset
from harness.errors import HarnessError
from harness.records.ledger import beside, check_end
from harness.records.record import Parameters, RunConfig, SubmissionCard, TaskReference
from harness.records.run_folder import RunFolder
from harness.runtimes.protocol import IsolationWish, Job, Limits, Outcome, Progress
from harness.runtimes.registry import choose_runtime
from harness.schedulers.assemble import Ending, write_run
from harness.schedulers.claims import declined_because
from harness.schedulers.controls import controls_of
from harness.schedulers.execution import Executed, executed
from harness.schedulers.judging import verdict_of
from harness.schedulers.opening import check_may_open_test, enter_run
from harness.scoring.evaluate import Evaluation, evaluate, predictions_in
from harness.splits.create import check_dataset
from harness.splits.split import Split
from harness.tasks.build import build_task, task_hash
from harness.tasks.folder import Task, open_task
from harness.verdicts.judge import Verdict

STEPS = ("build task", "run submission", "validate predictions", "score", "controls", "judge")


class Listener(Protocol):
    """Who is told how far a run is."""

    def step(self, name: str) -> None:
        """One of STEPS begins."""
        ...

    def within(self, message: str, done: float, of: float | None) -> None:
        """Progress within the step."""
        ...


class Silence:
    """A listener that says nothing."""

    def step(self, name: str) -> None:
        """One of STEPS begins."""

    def within(self, message: str, done: float, of: float | None) -> None:
        """Progress within the step."""


@dataclass(frozen=True)
class SubmitRequest:
    """Everything that is decided before a run."""

    folder: Path
    dataset: PerturbDataset
    split: Split
    runs: Path
    task_cache: Path
    variant: str | None = None
    passed: Mapping[str, Param] = field(default_factory=dict)
    eval_split: EvalSplit = "val"
    seed: int = 0
    runtime: str | None = None
    isolation: IsolationWish = "auto"
    graphs: tuple[Path, ...] = ()
    discard_predictions: bool = False
    ledger: Path | None = None
    """Where openings of test truth are entered; by default beside the runs folder."""
    first_look: str | None = None
    """Why test is opened without a validation run of this configuration."""
    controls: bool = True
    """Whether the run is held against every control. Without them it is a quick look, of which nothing can be claimed."""
    passports: Path | None = None
    """Where metric passports are kept; by default beside the task."""

    @property
    def ledger_path(self) -> Path:
        return self.ledger or beside(self.runs)


@dataclass(frozen=True)
class Plan:
    """A request with its manifest, its resolved configuration, and the reasons to decline it."""

    request: SubmitRequest
    manifest: Submission
    config: RunConfig
    declined: list[str]
    opening: str = ""
    """Why test truth may be opened; empty on validation."""


def plan_run(request: SubmitRequest) -> Plan:
    """Resolve a request; what is wrong with it is refused here, before anything is started."""
    manifest = load_manifest(request.folder)
    manifest.resolve(request.variant, dict(request.passed))
    runtime = choose_runtime(request.runtime or manifest.run.runtime, request.isolation)
    check_dataset(request.split, request.dataset)
    patch = manifest.variants[request.variant] if request.variant else {}
    set_here = {**patch, **request.passed}
    dataset, split = request.dataset, request.split
    identity = task_hash(
        dataset, split, request.eval_split, input_format=manifest.run.input_format, graphs=request.graphs
    )
    config = RunConfig(
        submission=SubmissionCard(
            name=manifest.name,
            version=manifest.version,
            title=manifest.title,
            variant=request.variant,
            content_hash=submission_hash(request.folder, manifest),
        ),
        params=Parameters(
            defaulted={key: value for key, value in manifest.params.items() if key not in set_here},
            variant={key: value for key, value in patch.items() if key not in request.passed},
            passed=dict(request.passed),
        ),
        task=TaskReference(
            name=f"{dataset.name}:{split.name}", hash=identity, eval_split=request.eval_split, seed=0
        ),
        data_hash=dataset.data_hash,
        split_hash=split.frozen_hash,
        seed=request.seed,
        runtime=runtime.name,
    ).with_hash()
    reason = check_may_open_test(config, request.runs, request.first_look, request.ledger_path)
    if request.eval_split == "test":
        check_end(request.ledger_path)
    declined = declined_because(manifest.claims, dataset, split, request.eval_split, request.graphs)
    return Plan(request, manifest, config, declined, reason)


def submit(plan: Plan, listener: Listener | None = None) -> RunFolder:
    """Run a plan to its end and leave a run folder, whatever the end is."""
    heard = listener or Silence()
    clock = _Clock()
    if plan.declined:
        ending = Ending(RunStatus.DECLINED, "; ".join(plan.declined), datetime.now(UTC))
        return write_run(
            plan.request.runs,
            plan.config,
            _context(plan),
            ending,
            clock.seconds,
            authors=plan.manifest.authors,
        )
    heard.step(STEPS[0])
    with clock.step("build"):
        task = _build(plan, heard)
    heard.step(STEPS[1])
    request = plan.request
    with executed(
        request.runs, plan.config.config_hash, lambda out, log: _run(plan, task, out, log, heard)
    ) as done:
        clock.seconds["run"] = done.execution.wall_s
        ending = _conclude(plan, task, done, heard, clock)
        return write_run(
            request.runs,
            plan.config,
            _context(plan),
            ending,
            clock.seconds,
            authors=plan.manifest.authors,
            executed=done,
            discard_predictions=request.discard_predictions,
        )


def _build(plan: Plan, heard: Listener) -> Task:
    request = plan.request
    return build_task(
        request.dataset,
        request.split,
        request.eval_split,
        cache=request.task_cache,
        input_format=plan.manifest.run.input_format,
        graphs=request.graphs,
        progress=heard.within,
    )


def _run(plan: Plan, task: Task, output: Path, log: Path, heard: Listener) -> Outcome:
    job = Job(
        manifest=plan.manifest,
        folder=plan.request.folder.absolute(),
        task=task.public,
        output=output,
        log=log,
        params=plan.config.params.resolved,
        seed=plan.request.seed,
        limits=Limits.of(plan.manifest.resources),
    )

    def pass_on(progress: Progress) -> None:
        heard.within(progress.message, progress.step, progress.of)

    runtime = choose_runtime(plan.config.runtime, plan.request.isolation)
    return runtime.run(job, pass_on)


def _conclude(plan: Plan, task: Task, done: Executed, heard: Listener, clock: _Clock) -> Ending:
    """Validate and score what a run left; a run that did not end well is recorded as it is."""
    execution = done.execution
    if execution.status is not RunStatus.OK:
        return Ending(execution.status, execution.detail, done.started)
    touched = _changed_while_running(task)
    if touched is not None:
        return Ending(RunStatus.HELD, f"its task changed while it ran: {touched}", done.started)
    path = predictions_in(done.output)
    if path is None:
        return Ending(RunStatus.INVALID, "it ended normally but wrote no predictions.npz", done.started)
    heard.step(STEPS[2])
    required = plan.manifest.claims.uncertainty == "native"
    try:
        with clock.step("validate"):
            file = open_predictions(path, Expected.of(task.card, var_required=required))
    except HarnessError as refusal:
        return Ending(RunStatus.INVALID, str(refusal), done.started)
    heard.step(STEPS[3])
    look = enter_run(plan.request.ledger_path, task, plan.config, file.sha256, plan.opening)
    with clock.step("score"):
        evaluation = _score(plan, task, file, heard)
    controls, verdict = None, None
    if plan.request.controls:
        heard.step(STEPS[4])
        with clock.step("controls"):
            controls = controls_of(evaluation, plan.request.ledger_path, heard.within)
        heard.step(STEPS[5])
        with clock.step("judge"):
            verdict = _judge(plan, evaluation, controls, heard)
    status, reason = scored_status(evaluation)
    if verdict is not None and verdict.held:
        status, reason = RunStatus.HELD, verdict.reason
    return Ending(status, reason, done.started, evaluation, look, controls, verdict)


def _judge(plan: Plan, evaluation: Evaluation, controls: ControlSet, heard: Listener) -> Verdict:
    request = plan.request
    return verdict_of(
        evaluation,
        controls,
        same_rule(plan.config.submission.content_hash, plan.config.params.resolved),
        passports=request.passports,
        ledger=request.ledger_path,
        tell=heard.within,
    )


def _changed_while_running(task: Task) -> str | None:
    """What a submission that can write where it should not did to its task or to the sealed truth."""
    try:
        open_task(task.sealed.parent)
    except HarnessError as fault:
        return f"{fault.what}, {fault.where}"
    return None


def scored_status(evaluation: Evaluation) -> tuple[RunStatus, str]:
    """`ok`, or `incomplete` where a metric has neither a value nor a reason."""
    if evaluation.complete:
        return RunStatus.OK, RunStatus.OK.meaning
    missing = evaluation.document["missing"]
    return (
        RunStatus.INCOMPLETE,
        f"{len(missing)} metrics have neither value nor reason: {', '.join(missing[:5])}",
    )


def _score(plan: Plan, task: Task, file: PredictionsFile, heard: Listener) -> Evaluation:
    return evaluate(
        plan.request.dataset,
        plan.request.split,
        task,
        file,
        var_kind=plan.manifest.claims.var_kind,
        progress=lambda done, of: heard.within("conditions", done, of),
    )


def _context(plan: Plan) -> tuple[PerturbDataset, Split]:
    return plan.request.dataset, plan.request.split


@dataclass
class _Clock:
    """Wall time of the steps."""

    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        started = time.monotonic()
        yield
        self.seconds[name] = round(time.monotonic() - started, 3)

"""A submission made of a network: learn beside held-out conditions, learn again from all, follow it as far as it held."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from harness.sdk import Condition, Predictions, Task
from perturbfm.checkpoint import save_weights
from perturbfm.conditions import Floats, read_training
from perturbfm.conditions import Training as Labelled
from perturbfm.curves import Curve, write_diagnostics
from perturbfm.ensemble import Ensemble, member_seed
from perturbfm.folds import graphs_read
from perturbfm.losses import Goal, Outputs
from perturbfm.network import Design, EffectNetwork, World
from perturbfm.prediction import Prediction
from perturbfm.pretrain.encoder_file import start_from
from perturbfm.reach import Reached
from perturbfm.shrinkage import AS_SAID, Width, common_shrinkage, joined, width
from perturbfm.starts import FOLD_STARTS, choose_start
from perturbfm.trainer import Recipe, Training, derived, outputs_of, predict
from perturbfm.training_set import Part, Scales, held_out_folds

Build = Callable[[World, Design], EffectNetwork]
Say = Callable[[str, int, int, dict[str, float]], None]
"""Told what is being done, the step, the number of steps and what was measured."""
FEW_GENES = 1024
PLAIN_STARTS = ("train_mean", "perturbation_mean", "scaled_additive")
STARTS_TRIED = (*PLAIN_STARTS, "fold_mean", "near_fold_mean")


@dataclass
class Learned:
    """A trained network and what it starts from."""

    network: EffectNetwork
    part: Part
    gamma: float = 1.0
    """How far the departure is followed."""
    width: Width = AS_SAID
    """Of the variance."""
    best_step: int = 0
    curves: dict[str, Curve] = field(default_factory=dict)
    held: Sequence[tuple[Outputs, Goal]] = ()
    """What networks that had not seen the held-out conditions of a fold said of them, and what they did."""

    def predict(self, asked: Sequence[Condition]) -> Prediction:
        """Baseline + γ × departure, and the baseline's variance times what the network and the temperature make of it.

        Conditions that training has shown are met half way between this and what was seen of them.
        """
        start, spread = self.part.answers(asked), self.part.spreads(asked)
        outputs = self.outputs(asked)
        mean = start + self.gamma * self.part.scales.unit * outputs.mean.numpy().astype(np.float64)
        var = spread * self.width.temperature * np.exp(outputs.log_var.numpy().astype(np.float64))
        var = var + self.width.swell * (mean - self.part.mean) ** 2
        mean, var, _ = self.part.recalled(asked, mean, var)
        return Prediction(mean, var, self.part.support(asked))

    def outputs(self, asked: Sequence[Condition]) -> Outputs:
        """What the network itself says."""
        return predict(self.network, self.part.inputs(asked))

    def diagnostics(self) -> dict[str, Any]:
        """Curves, fitted numbers, and what can be read off the network."""
        return {
            "start": self.part.start,
            "start_reads": graphs_read(self.part.training) if self.part.start in FOLD_STARTS else {},
            "shrinkage": self.gamma,
            "temperature": self.width.temperature,
            "swell": self.width.swell,
            "best_step": self.best_step,
            "curves": {name: asdict(curve) for name, curve in self.curves.items()},
            "parameters": sum(p.numel() for p in self.network.parameters()),
            "pretrained": self.network.begun_from,
            "network": self.network.diagnostics(),
        }


@dataclass(frozen=True)
class Problem:
    """A task read once, for as many trainings as are wanted."""

    task: Task
    labelled: Labelled
    scales: Scales
    start: str
    design: Design
    recipe: Recipe
    combo_weight: float = 1.0
    members: int = 1
    searches: int = 3
    """How many times, at most, some conditions are held out to find how long and how far."""

    @classmethod
    def read(cls, task: Task) -> Problem:
        """Group the rows, and choose what to start from."""
        labelled = read_training(task)
        design, params = Design.of(task.params), task.params
        if design.perturbation and design.gene_set:
            perturbed = dict.fromkeys(g for c in (*labelled.table, *task.conditions().table) for g in c.genes)
            labelled = replace(labelled, reached=Reached.of(task, list(perturbed), design.graph))
        names = params.get("start", list(STARTS_TRIED)) if design.perturbation else ["train_mean"]
        names = [names] if isinstance(names, str) else names
        if not (design.context and design.basal):  # what it may not know, its start may not know either
            names = [name for name in names if name not in FOLD_STARTS] or list(PLAIN_STARTS)
        return cls(
            task,
            labelled,
            Scales.of(task, labelled),
            choose_start(labelled, names),
            design,
            Recipe.of(params),
            float(params.get("combo_weight", 1.0)),
            int(params.get("members", 1)),
            int(params.get("searches", 3)),
        )

    def part(self, keep: NDArray[np.bool_] | None = None, spread: dict[str, Floats] | None = None) -> Part:
        """All labelled conditions, or some."""
        labelled = self.labelled if keep is None else self.labelled.subset(keep)
        return Part(self.task, labelled, self.start, self.scales, spread, self.combo_weight)


def untrained(problem: Problem, build: Build, part: Part, seed: int) -> EffectNetwork:
    """A network as it begins, on the device that there is."""
    torch.manual_seed(derived(seed, "weights"))
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    network = build(part.world, problem.design)
    if told := problem.task.params.get("pretrained"):
        scale = problem.scales.states.scale
        network.begun_from = start_from(network, told, problem.task, problem.design, scale)
    return network.to(device)


def learn(
    problem: Problem, build: Build, seed: int, *, folder: Path | None = None, say: Say | None = None
) -> Learned:
    """Train on a part to find how long and how far, then on everything for as long.

    `folder` keeps checkpoints: a training that was killed goes on from there.
    """
    whole = problem.part()
    folds = held_out_folds(problem.task, problem.labelled, problem.searches)
    if not folds:  # nothing can be held out, so nothing shows that the network would be better than its start
        return Learned(untrained(problem, build, whole, seed), whole, gamma=0.0)

    def reporter(what: str) -> Callable[[int, int, Any], None] | None:
        return None if say is None else lambda step, of, measured: say(what, step, of, dict(measured))

    found: list[tuple[Outputs, Goal]] = []
    curves: dict[str, Curve] = {}
    steps: list[int] = []
    for number, held in enumerate(folds):
        name = "search" if number == 0 else f"search {number + 1}"
        part = problem.part(~held)
        validation = part.others(problem.labelled.subset(held))
        trial = untrained(problem, build, part, derived(seed, number) if number else seed)
        progress = Training(
            trial,
            part.examples(),
            problem.recipe,
            seed,
            validation=validation,
            folder=folder,
            name=name.replace(" ", "-"),
        ).run(reporter(name))
        found.append((outputs_of(trial, validation), validation.goal))
        curves[name] = progress.curve
        steps.append(progress.best_step)
    until = int(np.median(steps))
    outputs, goal = joined(found)
    gamma = common_shrinkage(found) if until else 0.0
    final = untrained(problem, build, whole, seed)
    second = Training(
        final, whole.examples(), problem.recipe, seed, until=until, folder=folder, name="final"
    ).run(reporter("final"))
    curves["final"] = second.curve
    return Learned(final, whole, gamma, width(outputs, goal, gamma), until, curves, found)


@dataclass(frozen=True)
class LearnedSubmission:
    """What a manifest names: `predict(task)`. With `members` above 1 it is an ensemble of networks that differ in seeds."""

    build: Build

    def predict(self, task: Task) -> Predictions:
        """Learn, predict each asked-for condition, and leave the weights and the diagnostics beside the predictions."""
        torch.use_deterministic_algorithms(True)
        if len(task.genes) <= FEW_GENES:
            torch.set_num_threads(1)  # threads would wait for each other longer than they work
        problem, output = Problem.read(task), output_folder()
        members = [self.member(problem, number, output) for number in range(max(1, problem.members))]
        model = members[0] if len(members) == 1 else Ensemble.of(members)
        found, said = self.answer(problem, members, model.predict(task.conditions().table))
        if output is not None:
            configuration = {"design": asdict(problem.design), "recipe": asdict(problem.recipe)}
            write_diagnostics(output, {**model.diagnostics(), **said, "configuration": configuration})
        return found

    def member(self, problem: Problem, number: int, output: Path | None) -> Learned:
        """One trained network, its weights kept."""
        say = progress_lines(problem.task, problem.recipe.steps, number, problem.members)
        folder = None if output is None else output / ("model" if number == 0 else f"model-{number}")
        learned = learn(problem, self.build, member_seed(problem.task.seed, number), folder=folder, say=say)
        if folder is not None:
            save_weights(learned.network, folder / "weights.safetensors", {"start": problem.start})
        return learned

    def answer(
        self,
        problem: Problem,
        members: Sequence[Learned],  # noqa: ARG002
        found: Prediction,
    ) -> tuple[Predictions, dict[str, Any]]:
        """The rows of the conditions, and more to write to the diagnostics."""
        said = Predictions.from_conditions(
            problem.task, found.mean, var=found.var, epistemic=found.epistemic, supported=found.supported
        )
        return said, {}


def output_folder() -> Path | None:
    """Where the harness wants the results, if it said."""
    told = os.environ.get("HARNESS_OUTPUT")
    return Path(told) if told else None


def progress_lines(task: Task, steps: int, number: int = 0, members: int = 1) -> Say:
    """Search and final training of all members as one progress bar."""

    def say(what: str, step: int, _: int, measured: dict[str, float]) -> None:
        done = 2 * number * steps + (step if what == "search" else steps + step)
        task.progress(done, 2 * members * steps, what, **measured)

    return say

"""The loop: a batch from disk, spoiled, rebuilt; a state on disk every so often, from which the same bits come again."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from perturbfm.checkpoint import Checkpoint, optimiser_tensors, packed, restore_optimiser, unpacked
from perturbfm.curves import Curve
from perturbfm.network import Design
from perturbfm.pretrain.autoencoder import Autoencoder, Moments, Objective
from perturbfm.pretrain.ranks import LANES, Ranks
from perturbfm.pretrain.refusal import RefusedError
from perturbfm.pretrain.source import Source
from perturbfm.pretrain.stream import Order
from perturbfm.trainer import derived, schedule

Report = Callable[[int, int, Mapping[str, float]], None]
"""Told the step, the number of steps and what was measured."""
STATE = "state"
EVALUATED_AT_ONCE = 512


@dataclass(frozen=True)
class Settings:
    """How an encoder is pretrained."""

    objective: Objective = field(default_factory=Objective)
    steps: int = 2000
    batch: int = 256
    learning_rate: float = 1e-3
    weight_decay: float = 1e-2
    warmup: float = 0.05
    clip: float = 1.0
    evaluate_every: int = 100
    checkpoint_every: int = 200
    seed: int = 0


@dataclass
class Progress:
    """Where a pretraining stands, apart from its tensors."""

    step: int = 0
    begun: float | None = None
    """Loss of the held-out cells before the first step; 1 is that of a model which says the mean."""
    curve: Curve = field(default_factory=Curve)


class Pretraining:
    """An encoder on its way."""

    def __init__(
        self,
        source: Source,
        design: Design,
        settings: Settings,
        *,
        ranks: Ranks | None = None,
        folder: Path | None = None,
    ) -> None:
        if settings.batch % LANES:
            raise RefusedError(
                "a batch cannot be cut into lanes", got=settings.batch, expected=f"a multiple of {LANES}"
            )
        self.source, self.settings, self.ranks = source, settings, ranks or Ranks()
        self.order = Order(len(source), settings.seed)
        self.moments = Moments.of(source)
        device = self.ranks.device
        self._mean, self._scale = (torch.from_numpy(part).to(device) for part in self.moments)
        torch.manual_seed(derived(settings.seed, "pretraining"))
        # what is spoiled is noise enough, and dropout would differ between ranks
        self.model = Autoencoder(len(source.genes), replace(design, dropout=0.0)).to(device)
        self.wrapped = self.ranks.wrapped(self.model)
        self.optimiser = torch.optim.AdamW(
            self.model.parameters(),
            lr=settings.learning_rate,
            weight_decay=settings.weight_decay,
            fused=True,
        )
        self.progress = Progress()
        self.checkpoint = None if folder is None else Checkpoint(folder, STATE, self._configuration())

    def run(self, report: Report | None = None) -> Progress:
        """Train to the end, from where an earlier run left off."""
        self._resume()
        settings, progress = self.settings, self.progress
        if progress.step == 0:
            progress.begun = self._held_out()
        while progress.step < settings.steps:
            loss = self._step()
            step, last = progress.step, progress.step == settings.steps
            if step % settings.evaluate_every == 0 or last:
                held_out = self._held_out()
                measured = {"loss": self.ranks.mean(loss)}
                measured |= {} if held_out is None else {"held_out": held_out}
                progress.curve.add(step, **measured)
                if report is not None and self.ranks.first:
                    report(step, settings.steps, measured)
            if step % settings.checkpoint_every == 0 or last:
                self._save()
        return progress

    def _step(self) -> Tensor:
        settings = self.settings
        step = self.progress.step
        for group in self.optimiser.param_groups:
            group["lr"] = settings.learning_rate * schedule(step / settings.steps, settings.warmup)
        cells = self._cells(step)
        spoiled, hidden = self._spoiled(cells, step)
        with self._precision():
            loss = settings.objective.loss(self.wrapped(spoiled).float(), cells, hidden)
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), settings.clip)
        self.optimiser.step()
        self.progress.step += 1
        return loss.detach()

    def _cells(self, step: int) -> Tensor:
        """The share that this rank has of the step's cells, standardised. [own, genes]"""
        lane = self.settings.batch // LANES
        own = self.ranks.lanes
        places = self.order.take(step * self.settings.batch + own.start * lane, len(own) * lane)
        return self._standardised(places)

    def _standardised(self, places: Any) -> Tensor:
        cells = torch.from_numpy(self.source.cells(places)).to(self.ranks.device)
        return cells.sub_(self._mean).div_(self._scale)

    def _spoiled(self, cells: Tensor, step: int) -> tuple[Tensor, Tensor]:
        generators = [self._generator("spoil", step, lane) for lane in self.ranks.lanes]
        return self.settings.objective.spoil(cells, generators)

    def _generator(self, *axes: object) -> torch.Generator:
        return torch.Generator(self.ranks.device).manual_seed(derived(self.settings.seed, *axes))

    @torch.no_grad()
    def _held_out(self) -> float | None:
        """The loss of cells that are never learned from, always spoiled alike; the first rank says it."""
        held, total = self.order.held_out, 0.0
        if not self.ranks.first or not len(held):
            return None
        generator = self._generator("held out")
        for start in range(0, len(held), EVALUATED_AT_ONCE):
            cells = self._standardised(held[start : start + EVALUATED_AT_ONCE])
            spoiled, hidden = self.settings.objective.spoil(cells, [generator])
            total += float(self.settings.objective.loss(self.model(spoiled), cells, hidden)) * len(cells)
        return total / len(held)

    def _precision(self) -> AbstractContextManager[Any]:
        if self.ranks.device.type == "cuda" and torch.cuda.is_bf16_supported():
            return torch.autocast("cuda", torch.bfloat16)
        return nullcontext()

    def _configuration(self) -> dict[str, Any]:
        return {
            "design": asdict(self.model.design),
            "settings": asdict(self.settings),
            "genes": self.source.genes,
            "rows": self.source.rows_hash,
            "data": self.source.provenance.dataset,
        }

    def _save(self) -> None:
        if self.checkpoint is None or not self.ranks.first:
            return
        tensors = {
            **packed("model", self.model.state_dict()),
            **packed("optimiser", optimiser_tensors(self.optimiser)),
        }
        self.checkpoint.save(self.progress.step, tensors, asdict(self.progress))

    def _resume(self) -> None:
        found = self.checkpoint.load() if self.checkpoint is not None else None
        if self.checkpoint is None or (found is None and not self.checkpoint.differing()):
            return
        if found is None:
            raise RefusedError(
                "another pretraining was begun in this folder",
                where=self.checkpoint.folder,
                got=f"another {', '.join(self.checkpoint.differing())}",
                mend="choose another --out, or remove the folder",
            )
        _, tensors, facts = found
        self.model.load_state_dict(unpacked("model", tensors))
        restore_optimiser(self.optimiser, unpacked("optimiser", tensors))
        self.progress = Progress(facts["step"], facts["begun"], Curve(**facts["curve"]))

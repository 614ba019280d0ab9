"""scGen on a task folder, through pertpy: one autoencoder on all training cells, and arithmetic on its codes.

The shift of a perturbation is the mean over training contexts of (mean code of its cells − mean code of controls), taken
here: the package's own `predict` resamples cells with a generator that cannot be seeded. Named for what it is: one joint
autoencoder, where some benchmarks train one for each perturbation.
"""

from __future__ import annotations

import tempfile
import warnings
from collections import defaultdict
from typing import Any

import anndata
import numpy as np
import pandas as pd
import scvi
from external_kit import (
    EXTENSION,
    NATIVE,
    Answers,
    Asked,
    Cells,
    asked,
    checkpoint,
    prepare,
    raw_delta,
    reconstruction_delta,
    training_cells,
)
from lightning.pytorch.callbacks import Callback

from harness.sdk import Predictions, SdkError, Task

BLOCK = 512
TENTH = 0.1
Key = tuple[str, ...]  # a perturbation and its covariates, as text
Shifts = dict[Key, np.ndarray]


class Codes:
    """The trained autoencoder, as two functions on arrays."""

    def __init__(self, model: Any, genes: list[str], levels: tuple[str, str]) -> None:
        self.model, self.genes, self.levels = model, genes, levels
        self.module = model.module.as_bound()

    def encode(self, X: np.ndarray) -> np.ndarray:
        """Mean codes. [cells, latent]"""
        some = np.full(len(X), 0)
        table = as_anndata(X, self.genes, [self.levels[0] for _ in some], [self.levels[1] for _ in some])
        return np.asarray(self.model.get_latent_representation(table), np.float32)

    def decode(self, Z: np.ndarray) -> np.ndarray:
        """Expression. [cells, genes]"""
        blocks = [Z[start : start + BLOCK] for start in range(0, len(Z), BLOCK)]
        return np.concatenate(
            [np.asarray(self.module.generative(block)["px"], np.float32) for block in blocks]
        )


class Told(Callback):
    """A progress line for each epoch."""

    def __init__(self, task: Task) -> None:
        self.task = task

    def on_train_epoch_end(self, trainer: Any, module: Any) -> None:  # noqa: ARG002
        """At the end of an epoch."""
        losses = {
            name: float(trainer.callback_metrics[name])
            for name in ("train_loss_epoch", "validation_loss")
            if name in trainer.callback_metrics
        }
        self.task.progress(trainer.current_epoch + 1, trainer.max_epochs, "training", **losses)


def predict(task: Task) -> Predictions:
    """Train once, then add the shift of what is asked for to the code of each query row, and decode."""
    if task.params["delta"] not in ("raw", "recon"):
        raise SdkError(f"delta is {task.params['delta']!r}; raw or recon")
    device = prepare(task, task.params["device"])
    cells = training_cells(
        task, per_condition=task.params["cells"], controls_per_context=task.params["controls"]
    )
    answers = Answers(task)
    if not cells.is_control.any():  # a dataset of deltas: no state to start from
        return answers.predictions()
    codes = fit(task, cells, device)
    shifts = shifts_of(codes.encode(cells.X), cells)
    found = [(each, *shift_for(each, shifts)) for each in asked(task)]
    found = [(each, shift, supported) for each, shift, supported in found if shift is not None]
    if not found:
        return answers.predictions()
    rows = np.concatenate([each.rows for each, _, _ in found])
    by_row = np.concatenate([np.tile(shift, (len(each.rows), 1)) for each, shift, _ in found])
    level = np.concatenate([np.full(len(each.rows), supported) for each, _, supported in found])
    # all at once: the package compiles its encoder anew at each call
    answers.put(rows, shifted(codes, np.array(task.query.X[rows]), by_row, task.params["delta"]), level)
    return answers.predictions()


def fit(task: Task, cells: Cells, device: str) -> Codes:
    """The package's autoencoder, trained by the package; it holds out training cells at random to know when to stop."""
    import pertpy

    warnings.filterwarnings("ignore")
    scvi.settings.seed = task.seed
    scvi.settings.logging_dir = tempfile.mkdtemp()
    table = as_anndata(cells.X, task.genes, cells.pert, cells.context)
    pertpy.tl.Scgen.setup_anndata(table, batch_key="pert", labels_key="context")
    model = pertpy.tl.Scgen(table, n_hidden=task.params["hidden"], n_latent=task.params["latent"])
    model.train(
        max_epochs=task.params["epochs"],
        batch_size=min(task.params["batch"], len(cells)),
        train_size=1 - TENTH,
        early_stopping=True,
        early_stopping_patience=task.params["patience"],
        accelerator="gpu" if device == "cuda" else "cpu",
        enable_progress_bar=False,
        callbacks=[Told(task)],
    )
    keep(model)
    return Codes(model, task.genes, (str(cells.pert[0]), str(cells.context[0])))


def shifts_of(Z: np.ndarray, cells: Cells) -> Shifts:
    """The shift of each perturbation, with its covariates and, under its name alone, over all of them."""
    controls, groups = defaultdict(list), defaultdict(list)
    for i, (context, *key) in enumerate(
        zip(cells.context, cells.pert, *cells.covariates.values(), strict=True)
    ):
        if cells.is_control[i]:
            controls[context].append(i)
        else:
            groups[context, tuple(key)].append(i)
    found: dict[Key, list[np.ndarray]] = defaultdict(list)
    for (context, key), rows in groups.items():
        if context in controls:
            shift = Z[rows].mean(axis=0) - Z[controls[context]].mean(axis=0)
            for name in {key, key[:1]}:
                found[name].append(shift)
    return {name: np.mean(some, axis=0) for name, some in found.items()}


def shift_for(each: Asked, shifts: Shifts) -> tuple[np.ndarray | None, int]:
    """The shift of a condition: its own, that of its other doses, the sum of its parts; None where there is none."""
    condition = each.condition
    own = shifts.get((condition.pert, *condition.covariates))
    if own is not None:
        return own, NATIVE
    if (condition.pert,) in shifts:
        return shifts[condition.pert,], EXTENSION
    if each.parts and all((part,) in shifts for part in each.parts):
        return np.sum([shifts[part,] for part in each.parts], axis=0), EXTENSION
    return None, NATIVE


def shifted(codes: Codes, start: np.ndarray, shift: np.ndarray, way: str) -> np.ndarray:
    """The delta of each control cell under a shift of its code, [cells, latent]. [cells, genes]"""
    Z = codes.encode(start)
    generated = codes.decode(Z + shift.astype(np.float32))
    return raw_delta(generated, start) if way == "raw" else reconstruction_delta(generated, codes.decode(Z))


def as_anndata(X: np.ndarray, genes: list[str], pert: Any, context: Any) -> Any:
    """The table that the package wants."""
    obs = pd.DataFrame(
        {"pert": list(pert), "context": list(context)}, [f"c{i}" for i in range(len(X))], dtype="category"
    )
    return anndata.AnnData(np.ascontiguousarray(X, np.float32), obs=obs, var=pd.DataFrame(index=genes))


def keep(model: Any) -> None:
    """The weights, with the run."""
    from flax.traverse_util import flatten_dict

    place = checkpoint("scgen.npz")
    if place is not None:
        state = {"params": model.module.params, **model.module.state}
        np.savez(place, **{name: np.asarray(value) for name, value in flatten_dict(state, sep="/").items()})

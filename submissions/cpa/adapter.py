"""CPA on a task folder: one joint model of basal state, perturbations, dose and context, trained by the package.

Predictions are asked of the network itself, for control cells that the task gives: the package's own `predict` encodes
whatever stands in X, and refuses pairs of context and perturbation that it was not shown.
"""

from __future__ import annotations

import tempfile
import warnings
from typing import Any, NamedTuple

import numpy as np
import stand_ins
from external_kit import (
    EXTENSION,
    NATIVE,
    Answers,
    Asked,
    Cells,
    asked,
    checkpoint,
    log_normalised,
    prepare,
    raw_delta,
    reconstruction_delta,
    training_cells,
)

from harness.sdk import Condition, Predictions, SdkError, Task

warnings.filterwarnings("ignore")
stand_ins.install()

import anndata  # noqa: E402
import cpa  # noqa: E402
import pandas as pd  # noqa: E402
import torch  # noqa: E402
from pytorch_lightning.callbacks import Callback  # noqa: E402

CONTROL = "ctrl"
HELD_OUT = 10  # one cell in so many chooses the epoch


class Dosed(NamedTuple):
    """A perturbation as CPA takes it: names without a `+`, each with a dose. No names: control."""

    names: tuple[str, ...] = ()
    dose: float = 1.0

    @property
    def label(self) -> str:
        return "+".join(self.names) or CONTROL

    @property
    def doses(self) -> str:
        return "+".join([str(self.dose)] * max(1, len(self.names)))


def predict(task: Task) -> Predictions:
    """Train on the labelled cells, then ask for every condition whose parts and context training showed."""
    device = prepare(task, task.params["device"])
    counts = task.params["likelihood"] == "nb"
    cells = training_cells(
        task, per_condition=task.params["cells"], controls_per_context=task.params["controls"]
    )
    if counts and cells.counts is None:
        raise SdkError("likelihood 'nb' is of counts, and this task has none; use likelihood = \"gauss\"")
    told = [
        Dosed()
        if control
        else dosed(
            Condition(context, pert, genes, tuple(column[i] for column in cells.covariates.values())), task
        )
        for i, (context, pert, genes, control) in enumerate(
            zip(cells.context, cells.pert, cells.genes, cells.is_control, strict=True)
        )
    ]
    model = fit(task, cells, told, device)
    library = float(np.median(cells.counts[cells.is_control].sum(axis=1))) if counts else 0.0
    known = {name for each in told for name in each.names}
    answers = Answers(task)
    for each in asked(task):
        wanted = dosed(each.condition, task)
        if known.issuperset(wanted.names) and each.condition.context in set(cells.context):
            X = np.asarray(task.query.X[each.rows], np.float32)
            answers.put(each.rows, delta(model, task, X, wanted, each, library), support(each, wanted, told))
    return answers.predictions()


def dosed(condition: Condition, task: Task) -> Dosed:
    """A condition's parts, each gene or drug by its own name, and its dose where the task has one."""
    names = condition.genes or (condition.pert,)
    dose = 1.0
    if "dose" in task.card.get("covariates", []):
        text = condition.covariates[task.card["covariates"].index("dose")]
        try:
            dose = float(text)
        except ValueError:
            dose = 1.0  # a dose in words is no number that can be scaled by
    return Dosed(tuple(sorted(name.replace("+", "&") for name in names)), dose)


def support(each: Asked, wanted: Dosed, told: list[Dosed]) -> int:
    """CPA adds what perturbations do, so that pairs are its own answer; longer sums than it was shown are not."""
    longest = max(len(one.names) for one in told)
    return NATIVE if each.pert_seen or len(wanted.names) <= max(2, longest) else EXTENSION


def fit(task: Task, cells: Cells, told: list[Dosed], device: str) -> Any:
    """The package's model, trained by the package; the epoch that does best on held-out training cells."""
    params = task.params
    counts = params["likelihood"] == "nb"
    held = np.random.default_rng([task.seed, HELD_OUT]).random(len(cells)) < 1 / HELD_OUT
    obs = pd.DataFrame(
        {
            "pert": [each.label for each in told],
            "dose": [each.doses for each in told],
            "context": cells.context.astype(str),
            "split": np.where(held, "valid", "train"),
        },
        index=[str(i) for i in range(len(cells))],
    )
    X = np.asarray(cells.counts if counts else cells.X, np.float32)
    table = anndata.AnnData(X, obs=obs, var=pd.DataFrame(index=task.genes))
    longest = max(2, *(len(each.names) for each in told))
    cpa.CPA.setup_anndata(
        table, perturbation_key="pert", control_group=CONTROL, dosage_key="dose", is_count_data=counts,
        categorical_covariate_keys=["context"], max_comb_len=longest,
    )  # fmt: skip
    width, depth = params["hidden"], params["layers"]
    model = cpa.CPA(
        table, split_key="split", train_split="train", valid_split="valid", test_split="none", seed=task.seed,
        n_latent=params["latent"], recon_loss=params["likelihood"], doser_type=params["doser"], variational=False,
        n_hidden_encoder=width, n_layers_encoder=depth, n_hidden_decoder=width, n_layers_decoder=depth,
        use_batch_norm_encoder=True, use_layer_norm_encoder=False, use_batch_norm_decoder=False,
        use_layer_norm_decoder=True, dropout_rate_encoder=0.0, dropout_rate_decoder=0.0,
    )  # fmt: skip
    epochs = params["epochs"]
    plan = {
        "n_epochs_pretrain_ae": max(1, epochs // 5), "n_epochs_adv_warmup": max(1, epochs // 3), "mixup_alpha": 0.1,
        "adv_steps": 2, "n_hidden_adv": 64, "n_layers_adv": 2, "reg_adv": 1.0, "pen_adv": 1.0,
        "lr": params["learning_rate"], "adv_lr": params["learning_rate"], "step_size_lr": 25,
        "do_clip_grad": True, "gradient_clip_value": 5.0,
    }  # fmt: skip
    with tempfile.TemporaryDirectory() as scratch:
        model.train(
            max_epochs=epochs, use_gpu=device == "cuda", batch_size=min(params["batch"], int((~held).sum())),
            save_path=scratch, plan_kwargs=plan, early_stopping_patience=10, enable_progress_bar=False,
            check_val_every_n_epoch=max(1, epochs // 10), callbacks=[Follow(task)],
        )  # fmt: skip
    model.module.eval().to("cpu")
    place = checkpoint("cpa.npz")
    if place is not None:
        np.savez(place, **{name: value.cpu().numpy() for name, value in model.module.state_dict().items()})
    return model


class Follow(Callback):
    """One progress line for each epoch."""

    def __init__(self, task: Task) -> None:
        self.task = task

    def on_train_epoch_end(self, trainer: Any, pl_module: Any) -> None:  # noqa: ARG002
        """Tell how far training is, and by what."""
        told = {name: float(value) for name, value in trainer.callback_metrics.items() if value.numel() == 1}
        self.task.progress(trainer.current_epoch + 1, trainer.max_epochs, "training", **told)


def delta(model: Any, task: Task, X: np.ndarray, wanted: Dosed, each: Asked, library: float) -> np.ndarray:
    """What the model adds to control cells. Counts are compared with its own reconstruction, expression with the cells."""
    context = each.condition.context
    if task.params["likelihood"] == "gauss":
        return raw_delta(generated(model, X, wanted, context), X)
    rates = np.expm1(X)  # the counts of these cells, at the training controls' depth
    rates = np.round(rates / np.maximum(rates.sum(axis=1, keepdims=True), 1e-8) * library)
    both = [log_normalised(generated(model, rates, one, context)) for one in (wanted, Dosed())]
    return reconstruction_delta(*both)


@torch.no_grad()
def generated(model: Any, X: np.ndarray, wanted: Dosed, context: str) -> np.ndarray:
    """Expected expression, or counts, of cells under a perturbation in a context."""
    x = torch.as_tensor(np.asarray(X, np.float32))
    names = wanted.names or (CONTROL,)
    perts = torch.tensor([[cpa.CPA.pert_encoder[name] for name in names]] * len(x))
    dose = torch.full(perts.shape, wanted.dose if wanted.names else 1.0)
    covariate = torch.tensor([cpa.CPA.covars_encoder["context"][context]] * len(x))
    state = model.module.inference(
        x=x,
        perts={"true": perts, "mixup": perts},
        perts_doses={"true": dose, "mixup": dose},
        covars_dict={"context": covariate, "context_mixup": covariate},
    )
    likelihood = model.module.generative(z=state["z"], library=state["library"])["px"]
    return (likelihood.loc if hasattr(likelihood, "loc") else likelihood.mu).numpy()

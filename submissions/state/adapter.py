"""STATE's ST model on a task folder: trained from it, or a user's own trained model asked for it.

Everything that STATE is comes from the package that the user installs; here are only its inputs and outputs. Each set of
cells is a condition's query cells, in the order of the task, all under one perturbation.
"""

from __future__ import annotations

import pickle  # noqa: TID251  a trained model's own file, read behind the sandbox
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pretrained
import torch
import training
import yaml
from external_kit import Answers, Asked, asked, checkpoint, prepare, raw_delta, training_cells
from state.tx.models.state_transition import StateTransitionPerturbationModel

from harness.sdk import Predictions, SdkError, Table, Task

LARGEST = 14.0  # the package's own bound on expression


class Model(NamedTuple):
    """A trained model, and how it speaks of this task."""

    net: Any
    codes: dict[str, torch.Tensor]
    """Perturbation as the task calls it → its one-hot code."""
    genes: np.ndarray
    """The task's gene of each column that comes out."""
    reads: str
    """`X` (the columns `genes` of it), or the name of an embedding."""


def predict(task: Task) -> Predictions:
    """Train or load; then one set of cells for each condition whose perturbation the model knows."""
    device = prepare(task, task.params["device"])
    known = [one for one in asked(task) if one.condition.pert]
    model = load(task, known) if task.params["checkpoint"] else fit(task, device)
    answers = Answers(task)
    for each in known:
        if each.condition.pert in model.codes:
            X = np.asarray(task.query.X[each.rows], np.float32)[:, model.genes]
            inputs = X if model.reads == "X" else embedding(task.query, model.reads)[each.rows]
            made = generated(model, inputs, each, task)
            if np.array_equal(made, X):
                raise SdkError(f"STATE left the cells of {each.condition} as they were: it sees no controls")
            full = answers.mean[each.rows]  # genes that the model does not have keep the fallback
            full[:, model.genes] = raw_delta(made, X)
            answers.put(each.rows, full)
    return answers.predictions()


def fit(task: Task, device: str) -> Model:
    """Train on the labelled cells by the package's own command line."""
    cells = training_cells(
        task, per_condition=task.params["cells"], controls_per_context=task.params["controls"]
    )
    wished = task.params["inputs"]
    genes = np.arange(len(task.genes))
    if wished != "expression" and len(genes) > task.params["genes"]:
        genes = np.sort(np.argsort(-cells.X.var(axis=0), kind="stable")[: task.params["genes"]])
    read = None if wished in ("hvg", "expression") else embedding(task.train, wished)[cells.rows]
    with tempfile.TemporaryDirectory() as scratch:
        folder = training.train(task, cells, genes, read, Path(scratch) / "state", device)
        plain = training.pert_names(cells)
        codes = {str(name): code for name, code in read_codes(folder).items()}
        net = load_net(folder / "checkpoints" / "final.ckpt")
        place = checkpoint("state.npz")
        if place is not None:
            np.savez(place, **{name: value.float().numpy() for name, value in net.state_dict().items()})
    told = {pert: codes[name] for pert, name in plain.items() if name in codes}
    return Model(net, told, genes, "X" if read is None else wished)


def load(task: Task, known: list[Asked]) -> Model:
    """A user's trained model, refused where its labels, its control or its genes are not this task's."""
    folder = Path(task.params["checkpoint"])
    pretrained.require_files(folder)
    config = yaml.safe_load((folder / "config.yaml").read_text(encoding="utf-8"))
    codes = {str(name): code for name, code in read_codes(folder).items()}
    pretrained.control_label(config, codes)
    with (folder / "var_dims.pkl").open("rb") as handle:
        sizes = pickle.load(handle)  # noqa: S301
    key = config["data"]["kwargs"].get("embed_key")
    reads = "X" if key in (None, "X_hvg") else str(key)
    wanted = int(sizes["input_dim"] if reads == "X" else sizes["gene_dim"])
    genes = pretrained.columns(task.genes, sizes.get("gene_names"), wanted, folder)
    perts = pretrained.labels((one.condition.pert for one in known), codes, task.params["unknown"])
    found = sorted((folder / "checkpoints").glob("*.ckpt"))
    if not found:
        raise SdkError(f"no checkpoint in {folder / 'checkpoints'}")
    best = next((path for path in found if path.stem == "final"), found[-1])
    return Model(load_net(best), {pert: codes[pert] for pert in perts}, np.array(genes), reads)


def load_net(path: Path) -> Any:
    """The network of a checkpoint, ready to be asked."""
    return StateTransitionPerturbationModel.load_from_checkpoint(path, map_location="cpu").eval()


def read_codes(folder: Path) -> dict[Any, torch.Tensor]:
    """The one-hot code of each perturbation that a model was trained with."""
    return dict(torch.load(folder / "pert_onehot_map.pt", map_location="cpu", weights_only=False))


@torch.no_grad()
def generated(model: Model, inputs: np.ndarray, each: Asked, task: Task) -> np.ndarray:
    """Expression of a condition's cells under its perturbation, a set at a time."""
    longest = int(getattr(model.net, "cell_sentence_len", task.params["set_length"]))
    code = model.codes[each.condition.pert].float()
    made = []
    for start in range(0, len(inputs), longest):
        some = torch.from_numpy(np.ascontiguousarray(inputs[start : start + longest]))
        batch = {
            "ctrl_cell_emb": some,
            "pert_emb": code.repeat(len(some), 1),
            "pert_name": [each.condition.pert] * len(some),
        }
        out = model.net.predict_step(batch, batch_idx=0, padded=False)
        genes = out["preds"] if model.reads == "X" else out.get("pert_cell_counts_preds")
        if genes is None or genes.shape[-1] != len(model.genes):
            raise SdkError(
                f"STATE predicts {0 if genes is None else genes.shape[-1]} columns, and {len(model.genes)} genes are known"
            )
        made.append(genes.reshape(len(some), -1).numpy())
    return np.clip(np.concatenate(made), 0.0, LARGEST)


def embedding(table: Table, name: str) -> np.ndarray:
    """An embedding of the task's cells."""
    if name not in table.obsm:
        raise SdkError(
            f"inputs = {name!r}, and this task has no such embedding; it has: {', '.join(table.obsm) or 'none'}"
        )
    return np.asarray(table.obsm[name], np.float32)

"""GEARS on a task folder: its model and its training loop, fed with arrays; no download, no file of its own.

What the package would fetch or compute over all conditions (`PertData`) is a plain namespace with the attributes that it
reads. One pooled model answers for all contexts: its shift does not depend on the cell that is put in.
"""

from __future__ import annotations

import re
import sys
from types import ModuleType, SimpleNamespace
from typing import Any

import anndata
import numpy as np
import pandas as pd
import torch
from external_kit import EXTENSION, NATIVE, Answers, Asked, Cells, asked, checkpoint, prepare, training_cells
from torch_geometric.data import Batch, Data
from torch_geometric.loader import DataLoader

from harness.sdk import Predictions, SdkError, Task

# the package imports one function of dcor for an analysis that is not made here, and dcor compiles for 40 s
sys.modules["dcor"] = ModuleType("dcor")
sys.modules["dcor"].distance_correlation = None
import gears.gears as package  # noqa: E402

CONTROL = "ctrl"
N_TOLD = 20  # genes by whose error an epoch is chosen, as in the package
Edges = tuple[torch.Tensor, torch.Tensor]


def predict(task: Task) -> Predictions:
    """Train on the labelled cells, then ask for the shift of every set of genes once."""
    device = prepare(task, task.params["device"])
    cells = training_cells(
        task, per_condition=task.params["cells"], controls_per_context=task.params["controls"]
    )
    nodes, linked, prior = perturbation_graph(task, cells)
    model = fit(task, cells, nodes, prior, device)
    answers = Answers(task)
    wanted = [each for each in asked(task) if answerable(each, nodes, linked, cells)]
    shifts = predicted_shifts(model, sorted({each.condition.genes for each in wanted}), nodes, cells, device)
    for each in wanted:
        genes = each.condition.genes
        plain = each.context_seen and len(genes) <= 2
        answers.put(each.rows, shifts[genes], NATIVE if plain else EXTENSION)
    return answers.predictions()


def answerable(each: Asked, nodes: dict[str, int], linked: set[str], cells: Cells) -> bool:
    """Whether every gene was either perturbed in training or has neighbours in the graph."""
    trained = {gene for genes in cells.genes for gene in genes}
    genes = each.condition.genes
    return bool(genes) and all(gene in nodes and (gene in trained or gene in linked) for gene in genes)


def perturbation_graph(task: Task, cells: Cells) -> tuple[dict[str, int], set[str], Edges]:
    """The genes that can be perturbed, those that have neighbours, and source → target edges with weights."""
    wished = task.params["graph"]
    name = next(iter(task.graphs), "none") if wished == "first" else wished
    if name != "none" and name not in task.graphs:
        raise SdkError(f"no graph {name!r} in this task; there are: {', '.join(task.graphs) or 'none'}")
    perturbed = {gene for genes in cells.genes for gene in genes}
    perturbed |= {gene for condition in task.conditions().table for gene in condition.genes}
    names = [*task.genes, *sorted(perturbed.difference(task.genes))]
    similarity = np.zeros((len(names), len(names)), np.float32)
    if name != "none":
        dense = np.abs(task.graphs[name].dense())
        similarity[: len(dense), : len(dense)] = dense / np.maximum(dense.max(axis=1, keepdims=True), 1e-12)
    np.fill_diagonal(similarity, 0.0)
    linked = {names[i] for i in np.flatnonzero(similarity.any(axis=1))}
    np.fill_diagonal(similarity, 1.0)
    return (
        {gene: i for i, gene in enumerate(names)},
        linked,
        nearest(similarity.T, task.params["neighbours"], 0.0),
    )


def nearest(similarity: np.ndarray, k: int, least: float) -> Edges:
    """Each target's k most similar sources, itself among them. Column t holds the similarities of target t."""
    order = np.argsort(-similarity, axis=0, kind="stable")[: k + 1]  # [k + 1, targets]
    target = np.broadcast_to(np.arange(similarity.shape[1]), order.shape)
    weight = similarity[order, target]
    kept = weight > least
    edges = torch.from_numpy(np.stack([order[kept], target[kept]]).astype(np.int64))
    return edges, torch.from_numpy(weight[kept].astype(np.float32))


def held_out(task: Task, cells: Cells) -> np.ndarray:
    """Which cells an epoch is chosen by: whole conditions, new in the way in which the query is."""
    unseen = any(each.condition.genes and not each.pert_seen for each in asked(task))
    for axis in ("perturbation", "condition") if unseen else ("condition",):
        try:
            out = np.isin(cells.rows, task.inner_split(axis, 0.1)[1])
        except SdkError:  # too few to hold one out
            continue
        if out.any() and (~out & ~cells.is_control).any():
            return out
    return np.random.default_rng(task.seed).random(len(cells)) < 0.1


def fit(task: Task, cells: Cells, nodes: dict[str, int], prior: Edges, device: str) -> Any:
    """The package's model, trained by the package; its best epoch."""
    params, genes = task.params, task.genes
    known = np.array(
        [bool(names) or control for names, control in zip(cells.genes, cells.is_control, strict=True)]
    )
    out = held_out(task, cells)
    # the package names a single "GENE+ctrl"
    told = [CONTROL if not g else "+".join([*g, CONTROL] if len(g) == 1 else g) for g in cells.genes]
    label = np.array(told, object)
    inner, outer = np.flatnonzero(known & ~out), np.flatnonzero(known & out & ~cells.is_control)
    controls = controls_of(cells)
    singles = inner[[len(cells.genes[i]) < 2 for i in inner]]
    with np.errstate(invalid="ignore"):
        correlation = np.nan_to_num(np.abs(np.corrcoef(cells.X[singles].T)))
    shown = {name: np.flatnonzero(known & (label == name)) for name in sorted(set(label[known]))}
    strongest = {
        name: strongest_genes(cells.X[rows], controls) for name, rows in shown.items() if name != CONTROL
    }

    def graphs(rows: np.ndarray) -> list[Data]:
        return [cell_graph(cells, i, label[i], nodes, strongest) for i in rows]

    table = pd.DataFrame({"condition": label[inner], "condition_name": label[inner]}, [str(i) for i in inner])
    adata = anndata.AnnData(cells.X[inner], table)
    adata.var["gene_name"] = genes
    adata.uns["non_zeros_gene_idx"] = {
        name: np.flatnonzero(cells.X[rows].mean(axis=0) > 0)
        for name, rows in shown.items()
        if name != CONTROL
    }
    data = SimpleNamespace(
        dataloader={
            "train_loader": DataLoader(graphs(inner), min(params["batch"], len(inner)), shuffle=True, drop_last=True),
            "val_loader": DataLoader(graphs(outer), params["batch"], shuffle=False),
        },
        adata=adata, node_map=task.gene_index, node_map_pert=nodes, data_path=".", dataset_name="task", split="no_test",
        seed=task.seed, train_gene_set_size=None, set2conditions=None, subgroup=None, gene_names=pd.Series(genes),
        pert_names=np.array(list(nodes)), default_pert_graph=False,
    )  # fmt: skip
    follow(task)
    model = package.GEARS(data, device=device)
    coexpressed, strength = nearest(correlation, params["neighbours"], params["coexpression"])
    model.model_initialize(
        hidden_size=params["hidden"],
        G_go=prior[0],
        G_go_weight=prior[1],
        G_coexpress=coexpressed,
        G_coexpress_weight=strength,
    )
    model.ctrl_expression = torch.from_numpy(controls.mean(axis=0)).to(device)
    model.train(epochs=params["epochs"], lr=params["learning_rate"])
    keep(model.best_model)
    return model.best_model


def controls_of(cells: Cells) -> np.ndarray:
    """The control cells; a single zero where the dataset holds deltas."""
    return (
        cells.X[cells.is_control] if cells.is_control.any() else np.zeros((1, cells.X.shape[1]), np.float32)
    )


def strongest_genes(X: np.ndarray, controls: np.ndarray) -> np.ndarray:
    """The genes with the largest |t| against the controls; of training cells only."""
    error = np.sqrt(X.var(axis=0) / len(X) + controls.var(axis=0) / len(controls) + 1e-8)
    order = np.argsort(-np.abs(X.mean(axis=0) - controls.mean(axis=0)) / error, kind="stable")
    return order[: min(N_TOLD, X.shape[1])]


def cell_graph(
    cells: Cells, i: int, name: str, nodes: dict[str, int], strongest: dict[str, np.ndarray]
) -> Data:
    """One cell as the package wants it: the matched control in, the perturbed cell out."""
    start = torch.from_numpy(cells.own_control[i][:, None].copy())
    end = torch.from_numpy(cells.X[i][None].copy())
    pert = [nodes[gene] for gene in cells.genes[i]] or [-1]
    return Data(x=start, y=end, pert_idx=pert, pert=name, de_idx=strongest.get(name, np.full(N_TOLD, -1)))


def follow(task: Task) -> None:
    """What the package prints becomes progress lines, one for each epoch."""
    epochs = task.params["epochs"]

    def tell(words: str) -> None:
        print(words)
        found = re.match(r"Epoch (\d+): Train Overall MSE: (\d+\.\d+).*Overall MSE: (\d+\.\d+)", words)
        if found:
            step, train, validation = found.groups()
            task.progress(int(step), epochs, "training", train_mse=float(train), val_mse=float(validation))

    package.print_sys = tell


@torch.no_grad()
def predicted_shifts(
    net: Any, wanted: list[tuple[str, ...]], nodes: dict[str, int], cells: Cells, device: str
) -> dict[tuple[str, ...], np.ndarray]:
    """The shift of each set of genes, put on the mean control. The first cell of a batch is special in this package."""
    net.eval()
    start = controls_of(cells).mean(axis=0)
    x = torch.from_numpy(start[:, None].copy())
    found = {}
    for first in range(0, len(wanted), 31):
        some = wanted[first : first + 31]
        batch = [Data(x=x, pert_idx=[nodes[gene] for gene in genes], pert="") for genes in [some[0], *some]]
        generated = net(Batch.from_data_list(batch).to(device)).cpu().numpy()
        found |= dict(zip(some, generated[1:] - start, strict=True))
    return found


def keep(net: Any) -> None:
    """The weights, with the run."""
    place = checkpoint("gears.npz")
    if place is not None:
        np.savez(place, **{name: value.cpu().numpy() for name, value in net.state_dict().items()})

"""Training an ST model from a task: files as the package reads them, and its own command line in a process of its own."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
import time
from pathlib import Path

import anndata
import numpy as np
import pandas as pd
from external_kit import Cells

from harness.sdk import SdkError, Task

CONTROL = "control"
RUN = "st"


def names(values: np.ndarray, letter: str) -> dict[str, str]:
    """Plain names for labels of any kind: the package's split files take no others."""
    return {value: f"{letter}{i}" for i, value in enumerate(sorted(set(values.tolist())))}


def train(
    task: Task, cells: Cells, genes: np.ndarray, embedding: np.ndarray | None, place: Path, device: str
) -> Path:
    """Train on some of the genes; the folder of the run. An embedding is what the model reads instead of them."""
    told = np.where(
        cells.is_control, CONTROL, np.array([pert_names(cells)[p] for p in cells.pert.tolist()], object)
    )
    lines = names(cells.context, "c")
    (place / "data").mkdir(parents=True)
    for context, line in lines.items():
        rows = np.flatnonzero(cells.context == context)
        obs = pd.DataFrame(
            {"gene": told[rows], "cell_type": line, "batch": cells.batch[rows].astype(str)},
            index=[f"{line}-{i}" for i in rows],
        ).astype("category")
        table = anndata.AnnData(cells.X[rows], obs=obs, var=pd.DataFrame(index=task.genes))
        table.obsm["X_hvg"] = cells.X[np.ix_(rows, genes)]
        if embedding is not None:
            table.obsm[embed_key(task)] = embedding[rows]
        table.uns["log1p"] = {}
        table.write_h5ad(place / "data" / f"{line}.h5ad")
    (place / "split.toml").write_text(split_file(task, cells, told, lines, place / "data"), encoding="utf-8")
    run(task, place, device)
    return place / RUN


def pert_names(cells: Cells) -> dict[str, str]:
    """The plain name of each perturbation."""
    return names(cells.pert[~cells.is_control], "p") | dict.fromkeys(
        set(cells.pert[cells.is_control].tolist()), CONTROL
    )


def embed_key(task: Task) -> str:
    """What the package is told to read."""
    return task.params["inputs"] if task.params["inputs"] not in ("hvg", "expression") else "X_hvg"


def split_file(task: Task, cells: Cells, told: np.ndarray, lines: dict[str, str], data: Path) -> str:
    """Everything trains but a few conditions, whose loss is shown."""
    held = np.isin(cells.rows, task.inner_split("condition", 0.1)[1])
    text = [
        "[datasets]",
        f'task = "{data}"',
        "",
        "[training]",
        'task = "train"',
        "",
        "[zeroshot]",
        "",
        "[fewshot]",
    ]
    for context, line in lines.items():
        out = sorted(set(told[held & (cells.context == context)].tolist()))
        if out:
            text += ["", f'[fewshot."task.{line}"]', f"val = {out}".replace("'", '"'), "test = []"]
    return "\n".join([*text, ""])


def run(task: Task, place: Path, device: str) -> None:
    """`state tx train`; a progress line whenever it logs a step."""
    params = task.params
    backbone = "model.kwargs.transformer_backbone_kwargs."
    every = max(1, params["steps"] // 4)
    space = "all" if params["inputs"] == "expression" else "gene"
    key = "null" if params["inputs"] == "expression" else embed_key(task)
    argv = [
        sys.executable, "-m", "state", "tx", "train", f"data.kwargs.toml_config_path={place / 'split.toml'}",
        f"data.kwargs.embed_key={key}", f"data.kwargs.output_space={space}", "data.kwargs.num_workers=0",
        "data.kwargs.pert_col=gene", "data.kwargs.cell_type_key=cell_type", "data.kwargs.batch_col=batch",
        f"data.kwargs.control_pert={CONTROL}", f"training.max_steps={params['steps']}", f"training.val_freq={every}",
        f"training.ckpt_every_n_steps={params['steps']}", f"training.batch_size={params['batch']}",
        f"training.lr={params['learning_rate']}", f"training.train_seed={task.seed}", "model=state",
        f"model.kwargs.cell_set_len={params['set_length']}", f"model.kwargs.hidden_dim={params['hidden']}",
        f"{backbone}num_hidden_layers={params['layers']}", f"{backbone}num_attention_heads={params['heads']}",
        f"{backbone}num_key_value_heads={params['heads']}", f"{backbone}head_dim={params['head_dim']}",
        f"{backbone}intermediate_size={params['intermediate']}", "use_wandb=false", f"output_dir={place}",
        f"name={RUN}", "overwrite=true",
    ]  # fmt: skip
    offline = {"WANDB_MODE": "offline", "HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1"}
    offline |= {"CUDA_VISIBLE_DEVICES": ""} if device == "cpu" else {}
    child = subprocess.Popen(argv, cwd=place, env={**os.environ, **offline})
    shown = -1
    while child.poll() is None:
        time.sleep(0.5)
        shown = tell(task, place / RUN / "version_0" / "metrics.csv", shown)
    if child.returncode:
        raise SdkError(f"`state tx train` ended with code {child.returncode}; its words are above")


def tell(task: Task, metrics: Path, shown: int) -> int:
    """A progress line of the last step that was logged, if it is a new one."""
    try:
        with metrics.open(encoding="utf-8", newline="") as handle:
            rows = [row for row in csv.DictReader(handle) if (row.get("step") or "").isdigit()]
    except OSError:
        return shown
    step = int(rows[-1]["step"]) if rows else -1
    if step > shown:
        loss = next(
            (float(row["train_loss"]) for row in reversed(rows) if row.get("train_loss")), float("nan")
        )
        shown_loss = {} if np.isnan(loss) else {"train_loss": loss}
        task.progress(step + 1, task.params["steps"], "training", **shown_loss)
    return max(step, shown)

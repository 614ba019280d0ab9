"""A pretrained encoder in a file, and networks that begin with it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from harness.sdk import Task
from perturbfm.checkpoint import save_tensors
from perturbfm.encoders import ProgramTransformer, StateEncoder
from perturbfm.network import Design
from perturbfm.pretrain.refusal import RefusedError

if TYPE_CHECKING:
    from perturbfm.pretrain.training import Pretraining

ENCODER_FILE = "encoder.safetensors"
FORMAT = "perturbfm-encoder 1"
LEAST_SHARED = 0.5
"""Share of a task's genes that an encoder must know."""


def card_of(done: Pretraining) -> dict[str, Any]:
    """What the file says of itself: genes, design, and which cells were seen and which were not."""
    source = done.source
    last = done.progress.curve.values.get("held_out", [None])[-1]
    return {
        "format": FORMAT,
        "genes": source.genes,
        "design": asdict(done.model.design),
        "settings": asdict(done.settings),
        "steps": done.progress.step,
        "cells": len(source),
        "rows": source.rows_hash,
        "left_out": dict(source.left_out),
        "provenance": asdict(source.provenance),
        "held_out": {"first": done.progress.begun, "last": last},
    }


def save_encoder(done: Pretraining, folder: Path) -> Path:
    """Write the encoder with the scale of each gene."""
    tensors = {f"encoder/{name}": tensor for name, tensor in done.model.encoder.state_dict().items()}
    tensors["scale"] = torch.from_numpy(done.moments.scale)
    save_tensors(tensors, folder / ENCODER_FILE, {"card": json.dumps(card_of(done), sort_keys=True)})
    (folder / ENCODER_FILE).chmod(0o644)  # a run may be another user's
    return folder / ENCODER_FILE


class PretrainedEncoder:
    """An encoder from a file."""

    def __init__(
        self, path: Path, card: Mapping[str, Any], tensors: Mapping[str, Tensor], sha256: str
    ) -> None:
        self.path, self.card, self.sha256 = path, card, sha256
        self.scale = tensors["scale"].numpy()
        self.weights = {name.partition("/")[2]: tensor for name, tensor in tensors.items() if name != "scale"}

    @classmethod
    def read(cls, path: Path) -> PretrainedEncoder:
        """From a file that `perturbfm pretrain` wrote."""
        try:
            content = path.read_bytes()
            with safe_open(str(path), "pt") as file:
                card = json.loads((file.metadata() or {}).get("card", "{}"))
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        except (OSError, SafetensorError, ValueError) as error:
            raise RefusedError(
                "no pretrained encoder here",
                where=path,
                got=f"{type(error).__name__}: {error}",
                expected=f"{ENCODER_FILE}, as `perturbfm pretrain` writes it",
                mend="a run sees its own folder: put the file beside submission.toml and name it from there",
            ) from None
        if card.get("format") != FORMAT:
            raise RefusedError(
                "not a pretrained encoder", where=path, got=card.get("format"), expected=FORMAT
            )
        return cls(path, card, tensors, hashlib.sha256(content).hexdigest())

    def check(self, task: Task, design: Design) -> None:
        """Refuse what may have seen the hidden rows of a task, or does not fit."""
        self._check_rows(task)
        own = self.card["design"]
        unlike = [name for name in ("encoder", "width", "heads") if own[name] != getattr(design, name)]
        if design.encoder == "mlp" and "heads" in unlike:
            unlike.remove("heads")
        if unlike:
            raise RefusedError(
                "the pretrained encoder has another shape",
                where=self.path,
                got=", ".join(f"{name} {own[name]}" for name in unlike),
                expected=", ".join(f"{name} {getattr(design, name)}" for name in unlike),
                mend="pretrain with the options --encoder and --width of this model",
            )
        shared = len(set(self.card["genes"]).intersection(task.genes))
        if shared < LEAST_SHARED * len(task.genes):
            raise RefusedError(
                "the pretrained encoder knows too few of the task's genes",
                where=self.path,
                got=f"{shared} of {len(task.genes)}",
                expected=f"at least {LEAST_SHARED:.0%}",
                mend="pretrain on data that name their genes alike",
            )

    def _check_rows(self, task: Task) -> None:
        seen, card = self.card["provenance"], task.card
        if seen["dataset"] != card["dataset"]["hash"]:
            return
        unguarded = card["split"]["hash"] not in seen["splits"]
        if unguarded or (task.eval_split == "val" and "val" in seen["roles"]):
            raise RefusedError(
                "the encoder may have seen what this task hides",
                where=self.path,
                got=f"pretrained on {seen['name']} without the hidden rows of "
                + (", ".join(seen["splits"].values()) or "any split")
                + f", with roles {', '.join(seen['roles'])}",
                expected=f"without those of {card['name']} ({task.eval_split})",
                mend=f"pretrain again with --split {card['split']['name']}",
            )

    def contamination(self, task: Task) -> str:
        """What is known of hidden cells among those that were seen."""
        seen = self.card["provenance"]
        if seen["dataset"] == task.card["dataset"]["hash"]:
            return "none: hidden rows of this split were left out by row"
        if task.card["dataset"]["hash"] in seen["excluded"]:
            return "unlikely: cells of this dataset were left out by hash"
        return "unknown: other data, not compared with this dataset"

    def load_into(self, network: nn.Module, genes: Sequence[str], scale: NDArray[np.float64]) -> int:
        """Give every state encoder of a network these weights; returns how many genes they know.

        A network sees states in units of `scale`, this encoder saw cells in its own: the first layer is rescaled to match.
        Genes that it does not know keep what the network began with.
        """
        place = {gene: i for i, gene in enumerate(self.card["genes"])}
        known = [(here, place[gene]) for here, gene in enumerate(genes) if gene in place]
        here, there = np.array(known, np.int64).reshape(-1, 2).T
        factor = torch.from_numpy((scale[here] / self.scale[there]).astype(np.float32))
        for encoder in network.modules():
            if isinstance(encoder, StateEncoder):
                transformer = isinstance(encoder.layers, ProgramTransformer)
                first = "layers.programs.weight" if transformer else "layers.0.weight"
                state = {name: tensor.clone() for name, tensor in self.weights.items()}
                own = encoder.state_dict()[first].detach().clone()
                own[:, here] = state[first][:, there].to(own) * factor.to(own)
                encoder.load_state_dict({**state, first: own})
        return len(here)


def start_from(
    network: nn.Module, told: str, task: Task, design: Design, scale: NDArray[np.float64]
) -> dict[str, Any]:
    """Begin with a pretrained encoder; returns what the diagnostics should say of it."""
    encoder = PretrainedEncoder.read(Path(told))
    encoder.check(task, design)
    known = encoder.load_into(network, task.genes, scale)
    return {
        "file": told,
        "sha256": encoder.sha256,
        "genes_known": known,
        "dataset": encoder.card["provenance"]["name"],
        "contamination": encoder.contamination(task),
    }

"""A training state on disk: tensors as safetensors, the rest as JSON, replaced in one step. Nothing is pickled."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.optim import Optimizer


class Checkpoint:
    """The state of one training in a folder; it is taken up only by a training of the same configuration."""

    def __init__(self, folder: Path, name: str, configuration: Mapping[str, Any]) -> None:
        self.folder, self.name = folder, name
        self.configuration = json.loads(json.dumps(configuration))
        self._document = folder / f"{name}.json"

    def save(self, step: int, tensors: Mapping[str, Tensor], facts: Mapping[str, Any]) -> None:
        """Write the tensors of a step under a name of their own, then the document that names them."""
        self.folder.mkdir(parents=True, exist_ok=True)
        file = self.folder / f"{self.name}.{step}.safetensors"
        partial = file.with_suffix(".partial")
        save_file({name: tensor.detach().contiguous() for name, tensor in tensors.items()}, partial)
        _settle(partial, file)
        document = {
            "configuration": self.configuration,
            "step": step,
            "tensors": file.name,
            "facts": dict(facts),
        }
        partial = self._document.with_suffix(".partial")
        partial.write_text(json.dumps(document), encoding="utf-8")
        _settle(partial, self._document)
        for other in self.folder.glob(f"{self.name}.*.safetensors"):
            if other != file:
                other.unlink()

    def differing(self) -> list[str]:
        """What the configuration of a state that is there has otherwise; nothing where none is there."""
        try:
            found = json.loads(self._document.read_text(encoding="utf-8"))["configuration"]
        except FileNotFoundError:
            return []
        return sorted(
            name for name in {*found, *self.configuration} if found.get(name) != self.configuration.get(name)
        )

    def load(self) -> tuple[int, dict[str, Tensor], dict[str, Any]] | None:
        """The last state saved, if one of this configuration is there."""
        try:
            document = json.loads(self._document.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        if document["configuration"] != self.configuration:
            return None
        return document["step"], load_file(self.folder / document["tensors"]), document["facts"]


def _settle(partial: Path, file: Path) -> None:
    """Make sure that the bytes are on disk before the name is."""
    with open(partial, "rb") as handle:
        os.fsync(handle.fileno())
    os.replace(partial, file)


def packed(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Tensors under a prefix, each with memory of its own."""
    return {f"{prefix}/{name}": tensor.detach().clone().cpu() for name, tensor in tensors.items()}


def unpacked(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors under a prefix."""
    return {
        name.partition("/")[2]: tensor for name, tensor in tensors.items() if name.partition("/")[0] == prefix
    }


def optimiser_tensors(optimiser: Optimizer) -> dict[str, Tensor]:
    """The moments of an optimiser by parameter number."""
    state = optimiser.state_dict()["state"]
    return {f"{number}.{key}": tensor for number, parts in state.items() for key, tensor in parts.items()}


def restore_optimiser(optimiser: Optimizer, tensors: Mapping[str, Tensor]) -> None:
    """Put the moments back."""
    state: dict[int, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        number, _, key = name.partition(".")
        state.setdefault(int(number), {})[key] = tensor
    optimiser.load_state_dict({**optimiser.state_dict(), "state": state})


def save_weights(network: nn.Module, file: Path, facts: Mapping[str, str]) -> None:
    """The weights of a trained network, with a few facts in the header."""
    save_tensors(network.state_dict(), file, facts)


def save_tensors(tensors: Mapping[str, Tensor], file: Path, facts: Mapping[str, str]) -> None:
    """Tensors in one file, with a few facts in the header."""
    file.parent.mkdir(parents=True, exist_ok=True)
    partial = file.with_suffix(".partial")
    save_file(
        {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()},
        partial,
        metadata=dict(facts),
    )
    _settle(partial, file)

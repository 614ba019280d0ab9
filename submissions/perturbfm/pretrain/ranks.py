"""Several processes that train one model, each on its lanes of every batch; one process is the case of one rank."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from perturbfm.pretrain.refusal import RefusedError

LANES = 8
"""Parts of a batch with random numbers of their own: the same cells are spoiled alike however many ranks share them."""


CPU = torch.device("cpu")


@dataclass(frozen=True)
class Ranks:
    """A process among those that train together."""

    rank: int = 0
    world: int = 1
    device: torch.device = CPU

    @property
    def first(self) -> bool:
        """Whether it is the one that writes and speaks."""
        return self.rank == 0

    @property
    def lanes(self) -> range:
        """Its lanes of a batch."""
        own = LANES // self.world
        return range(self.rank * own, (self.rank + 1) * own)

    def wrapped(self, model: nn.Module) -> nn.Module:
        """The model with gradients averaged over all ranks."""
        return model if self.world == 1 else DistributedDataParallel(model)

    def mean(self, value: Tensor) -> float:
        """A number averaged over all ranks."""
        value = value.detach().clone()
        if self.world > 1:
            torch.distributed.all_reduce(value)
        return float(value) / self.world


@contextmanager
def joined() -> Iterator[Ranks]:
    """The ranks that `torchrun` started, or one alone."""
    world, rank = int(os.environ.get("WORLD_SIZE", 1)), int(os.environ.get("RANK", 0))
    cuda = torch.cuda.is_available()
    device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", 0))) if cuda else torch.device("cpu")
    if LANES % world:
        raise RefusedError(
            "a batch cannot be shared out evenly",
            got=f"{world} processes",
            expected=f"a divisor of {LANES}",
            mend="start 1, 2, 4 or 8",
        )
    if world == 1:
        yield Ranks(device=device)
        return
    torch.distributed.init_process_group("nccl" if cuda else "gloo")
    try:
        yield Ranks(rank, world, device)
    finally:
        torch.distributed.destroy_process_group()

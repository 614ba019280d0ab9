"""v3a: learned programs ask the tokens of perturbed genes, control state and covariates, and answer through loadings."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from perturbfm.encoders import PerturbationEncoder, StateEncoder
from perturbfm.heads import SystematicShift, VarianceHead, zeroed
from perturbfm.losses import Outputs
from perturbfm.network import Design, EffectNetwork, Inputs, World
from perturbfm.state_gate import StateGate

AMPLITUDES = 4
"""Gene loadings per program."""


class PerturbationTokens(PerturbationEncoder):
    """One token per perturbed gene, and one of the id where training showed it."""

    def __init__(self, world: World, design: Design) -> None:
        super().__init__(world, design)
        self.kinds = nn.Parameter(0.02 * torch.randn(2, design.width))

    def tokens(self, inputs: Inputs) -> tuple[Tensor, Tensor]:
        """Tokens and which of them are there. [B, M + 1, width], [B, M + 1]"""
        profile, own = self.embedding()
        known, places = inputs.genes >= 0, inputs.genes.clamp(min=0)
        remembered = self.remembered(inputs)
        genes = profile[places] + remembered[:, :, None] * own[places] + self.kinds[0]
        name = self.by_id(inputs)[:, None] + self.kinds[1]
        there = torch.cat([known, (inputs.ids >= 0)[:, None] & (self.remembered(inputs) > 0)], dim=1)
        return torch.cat([genes, name], dim=1), there


class ContextTokens(nn.Module):
    """A few tokens from the control state, and one per covariate column."""

    def __init__(self, world: World, design: Design) -> None:
        super().__init__()
        self.state = StateEncoder(world, design)
        self.split = nn.Linear(design.width, design.context_tokens * design.width)
        self.places = nn.Parameter(0.02 * torch.randn(design.context_tokens, design.width))
        self.columns = nn.Parameter(torch.randn(2, world.n_covariates, design.width) / design.width**0.5)

    def forward(self, inputs: Inputs) -> tuple[Tensor, Tensor]:
        """The encoded state, and the tokens. [B, width], [B, tokens, width]"""
        z = self.state(inputs.state)
        tokens = self.split(z).view(len(z), *self.places.shape) + self.places
        covariates = inputs.covariates[:, :, None] * self.columns[0] + self.columns[1]
        return z, torch.cat([tokens, covariates], dim=1)


class V3A(EffectNetwork):
    """Attention among programs and tokens; each program's amplitudes weigh its gene loadings; a gate reads the state."""

    def __init__(self, world: World, design: Design) -> None:
        super().__init__(world, design)
        width = design.width
        self.queries = nn.Parameter(torch.randn(design.programs, width) / width**0.5)
        self.address = nn.Linear(width, design.programs * width, bias=False)
        self.perturbed = PerturbationTokens(world, design)
        self.context = ContextTokens(world, design)
        self.layers = nn.ModuleList(
            nn.TransformerEncoderLayer(
                width,
                design.heads,
                2 * width,
                design.dropout,
                activation="gelu",
                batch_first=True,
                norm_first=True,
            )
            for _ in range(design.depth)
        )
        self.amplitudes = nn.Linear(width, AMPLITUDES)
        self.loadings = zeroed(nn.Linear(AMPLITUDES * design.programs, world.n_genes))
        self.log_var = VarianceHead(width, world.n_genes)
        self.basal = StateEncoder(world, design)
        self.shift = SystematicShift(width, world.n_genes)
        self.gate = StateGate(world, width) if design.state_gate else None

    def systematic(self, inputs: Inputs) -> Tensor:
        """An affine function of the encoded state."""
        return torch.as_tensor(self.shift(self.basal(inputs.state)))

    def programs(self, inputs: Inputs) -> tuple[Tensor, Tensor]:
        """What the programs have gathered, and the encoded state. [B, programs, width], [B, width]"""
        z, context = self.context(inputs)
        perturbed, there = self.perturbed.tokens(inputs)
        total = (perturbed * there[:, :, None]).sum(dim=1)
        queries = self.queries + self.address(total).view(len(z), *self.queries.shape)
        tokens = torch.cat([queries, context, perturbed], dim=1)
        always = there.new_ones(len(z), queries.shape[1] + context.shape[1])
        absent = ~torch.cat([always, there], dim=1)
        for layer in self.layers:
            tokens = layer(tokens, src_key_padding_mask=absent)
        return tokens[:, : queries.shape[1]], z

    def features(self, inputs: Inputs) -> Tensor:
        """A condition as one vector: the mean program. [B, width]"""
        return self.programs(inputs)[0].mean(dim=1)

    def effect(self, inputs: Inputs) -> Outputs:
        """Programs × loadings × gate."""
        programs, z = self.programs(inputs)
        mean = self.loadings(self.amplitudes(programs).flatten(1))
        if self.gate is not None:
            mean = mean * self.gate(inputs.state, z)
        return Outputs(mean, self.log_var(programs.mean(dim=1)))

    @torch.no_grad()
    def diagnostics(self) -> dict[str, Any]:
        """How strongly each program loads on genes, and how the state gate stands."""
        loading = self.loadings.weight.view(-1, self.queries.shape[0], AMPLITUDES).norm(dim=(0, 2))
        found: dict[str, Any] = {"program_loadings": [round(float(norm), 4) for norm in loading]}
        if self.gate is not None:
            slope = self.gate.slope
            found["state_gate"] = {
                "shared_slope": float(self.gate.shared),
                "slope_sd": float(slope.std(correction=0)),
            }
        return found

"""CellOT on a task folder: one autoencoder, then for each perturbation a transport map between codes of cells.

Of the package only the building blocks are used: networks, losses, autoencoder. A map that is not yet better than leaving
cells as they are, on training cells held back, is not used: such a map is far worse than none.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from cellot.losses.mmd import compute_scalar_mmd
from cellot.models.ae import AutoEncoder
from cellot.models.cellot import compute_loss_f, compute_loss_g
from cellot.networks.icnns import ICNN
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
    training_cells,
)

from harness.sdk import Predictions, Task

HELD_BACK = 7  # one cell in so many tells whether a map is any good
CHECKS = 10  # times that a map is looked at
Groups = list[tuple[np.ndarray, np.ndarray]]


def predict(task: Task) -> Predictions:
    """An autoencoder and maps; then the control cells that the task gives are coded, moved and decoded."""
    device = prepare(task, task.params["device"])
    cells = training_cells(
        task, per_condition=task.params["cells"], controls_per_context=task.params["controls"]
    )
    known = asked(task)
    routes = {each.condition: route(each, task.params["combinations"]) for each in known}
    wanted = sorted({pert for perts in routes.values() for pert in perts})
    held = np.random.default_rng([task.seed, HELD_BACK]).random(len(cells)) < 1 / HELD_BACK
    coder = autoencoder(task, cells, held, len(wanted), device)
    codes = coded(coder, cells.X, device)
    maps: dict[str, Any] = {}
    for number, pert in enumerate(wanted):
        found, better = transport(task, cells, codes, held, pert, device)
        task.progress(number + 2, len(wanted) + 1, f"map of {pert}" + ("" if better else ", not used"))
        if better:
            maps[pert] = found
    keep(coder, maps)
    answers = Answers(task)
    for each in known:
        perts = routes[each.condition]
        if perts and all(pert in maps for pert in perts):
            X = np.asarray(task.query.X[each.rows], np.float32)
            code = coded(coder, X, device)
            for pert in perts:
                code = moved(maps[pert], code)
            with torch.no_grad():
                made = coder.decode(code).cpu().numpy()
            answers.put(each.rows, raw_delta(made, X), NATIVE if len(perts) == 1 else EXTENSION)
    print(f"{len(maps)} of {len(wanted)} maps are used")
    return answers.predictions()


def route(each: Asked, combinations: str) -> tuple[str, ...]:
    """The maps that lead to a condition; none where training shows no way."""
    if each.pert_seen:
        return (each.condition.pert,)
    return each.parts if combinations == "compose" else ()


def autoencoder(task: Task, cells: Cells, held: np.ndarray, maps: int, device: str) -> Any:
    """The package's autoencoder; its best state on cells held back."""
    params = task.params
    rng = np.random.default_rng([task.seed, 1])
    net = AutoEncoder(
        cells.X.shape[1], params["latent"], hidden_units=[params["hidden"]] * 2, beta=0.0, dropout=0.0
    ).to(device)
    optimiser = torch.optim.Adam(net.parameters(), lr=1e-3, weight_decay=1e-5)
    X = torch.from_numpy(cells.X).to(device)
    pool, back = np.flatnonzero(~held), np.flatnonzero(held)
    every = max(1, params["autoencoder_steps"] // CHECKS)
    best, state = np.inf, net.state_dict()
    for step in range(1, params["autoencoder_steps"] + 1):
        optimiser.zero_grad()
        net(X[rng.choice(pool, min(256, len(pool)))])[0].mean().backward()
        optimiser.step()
        if step % every == 0:
            with torch.no_grad():
                loss = float(net(X[back])[0].mean())
            if loss < best:
                best, state = loss, copied(net)
    task.progress(1, maps + 1, "autoencoder", val_loss=best)
    net.load_state_dict(state)
    return net.eval()


def transport(
    task: Task, cells: Cells, codes: torch.Tensor, held: np.ndarray, pert: str, device: str
) -> tuple[Any, bool]:
    """The map of one perturbation, at its best step; and whether it is better than no map."""
    params = task.params
    rng = np.random.default_rng([task.seed, 2, *pert.encode()[:64]])
    groups, back = pairs(cells, pert, ~held), pairs(cells, pert, held)
    if not groups or not back:
        return None, False
    f, g = potential(params["latent"], 0).to(device), potential(params["latent"], 1).to(device)
    rate = {"lr": params["learning_rate"], "betas": (0.5, 0.9)}
    of, og = torch.optim.Adam(f.parameters(), **rate), torch.optim.Adam(g.parameters(), **rate)
    every = max(1, params["steps"] // CHECKS)
    best, state = np.inf, copied(g)
    for step in range(1, params["steps"] + 1):
        source, target = groups[rng.integers(len(groups))]
        size = min(params["batch"], len(source), len(target))
        goal = codes[rng.choice(target, size, replace=False)]
        for _ in range(params["inner"]):
            start = codes[rng.choice(source, size, replace=False)].requires_grad_(True)
            og.zero_grad()
            (compute_loss_g(f, g, start).mean() + g.penalize_w()).backward()
            og.step()
        start = codes[rng.choice(source, size, replace=False)].requires_grad_(True)
        of.zero_grad()
        compute_loss_f(f, g, start, goal).mean().backward()
        of.step()
        f.clamp_w()
        if step % every == 0:
            distance = np.mean([mmd(codes[t], moved(g, codes[s])) for s, t in back])
            if distance < best:
                best, state = float(distance), copied(g)
    g.load_state_dict(state)
    identity = float(np.mean([mmd(codes[t], codes[s]) for s, t in back]))
    return g.eval(), best < identity


def pairs(cells: Cells, pert: str, among: np.ndarray) -> Groups:
    """Control and perturbed cells of each context that has both."""
    found = []
    for context in sorted(set(cells.context[cells.pert == pert].tolist())):
        here = among & (cells.context == context)
        source, target = np.flatnonzero(here & cells.is_control), np.flatnonzero(here & (cells.pert == pert))
        if len(source) and len(target):
            found.append((source, target))
    return found


def potential(latent: int, penalty: int) -> Any:
    """An input-convex network as the package's own configuration has it."""
    return ICNN(
        latent,
        [64] * 4,
        fnorm_penalty=penalty,
        kernel_init_fxn=lambda weight: torch.nn.init.uniform_(weight, b=0.1),
    )


def moved(g: Any, code: torch.Tensor) -> torch.Tensor:
    """Codes after a map: the gradient of its potential."""
    return g.transport(code.detach().requires_grad_(True)).detach()


def mmd(target: torch.Tensor, other: torch.Tensor) -> float:
    """The package's distance of two clouds of codes; infinite where a map has run away."""
    value = compute_scalar_mmd(target.cpu().numpy(), other.cpu().numpy())
    return float(value) if np.isfinite(value) else np.inf


@torch.no_grad()
def coded(net: Any, X: np.ndarray, device: str) -> torch.Tensor:
    """The codes of cells."""
    return net.encode(torch.from_numpy(np.ascontiguousarray(X)).to(device))


def copied(net: Any) -> dict[str, torch.Tensor]:
    """The weights as they are now."""
    return {name: value.detach().clone() for name, value in net.state_dict().items()}


def keep(coder: Any, maps: dict[str, Any]) -> None:
    """The autoencoder and the maps, with the run."""
    place = checkpoint("cellot.npz")
    if place is not None:
        parts = {"autoencoder": coder, **{f"map {pert}": net for pert, net in maps.items()}}
        told = {
            f"{part}/{name}": value.cpu().numpy()
            for part, net in parts.items()
            for name, value in net.state_dict().items()
        }
        np.savez(place, **{name.replace("/", "|"): value for name, value in told.items()})

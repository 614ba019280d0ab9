"""`harness data make-synth`: synthetic screens, by preset or by specification."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from harness.cli.data.made import say_made, target_folder
from harness.cli.options import gather, typed

if TYPE_CHECKING:
    from harness.datasets.synthetic import SynthSpec


def complete_preset(incomplete: str) -> list[str]:
    """Names of the presets."""
    from harness.datasets.synthetic import PRESETS

    return [name for name in PRESETS if name.startswith(incomplete)]


def make_synth(
    out: Path | None = typer.Option(
        None, "--out", help="Folder of the dataset; without it, the preset's name in the data folder."
    ),
    preset: str | None = typer.Option(
        None,
        "--preset",
        help="tiny, demo, no-signal, leaky, stress-scale or stress-imbalance.",
        autocompletion=complete_preset,
    ),
    scale: float = typer.Option(1.0, "--scale", help="How many values, relative to the preset as it is."),
    seed: int = typer.Option(0, "--seed", help="Seed of everything that is drawn."),
    n_obs: int | None = typer.Option(None, "--n-obs", min=1, help="About how many cells."),
    n_genes: int | None = typer.Option(None, "--n-genes", min=1, help="How many genes."),
    n_contexts: int | None = typer.Option(None, "--n-contexts", min=1, help="How many contexts."),
    n_perts: int | None = typer.Option(None, "--n-perts", min=1, help="How many perturbations of one gene."),
    n_doubles: int | None = typer.Option(None, "--n-doubles", min=0, help="How many of two genes."),
    strength: float | None = typer.Option(None, "--strength", help="Size of a typical effect."),
    option: list[str] = typer.Option(
        [], "--option", metavar="KEY=VALUE", help="Any field of the specification; may be repeated."
    ),
    dry_run: bool = typer.Option(False, "--dry-run", help="Print the specification, and stop."),
) -> None:
    """Make a synthetic screen with a known gene graph beside it: a named preset, or one of your own measures.

    Example: `harness data make-synth --preset demo`

    Example: `harness data make-synth --n-genes 100 --n-contexts 4 --n-perts 8 --out data/mine`
    """
    from harness.datasets.synthetic import SynthSpec

    if preset is None and out is None:
        raise typer.BadParameter("name a --preset, or where to write a screen of your own with --out")
    told = {"n_genes": n_genes, "n_contexts": n_contexts, "n_singles": n_perts, "n_doubles": n_doubles}
    changes = {key: value for key, value in (told | {"strength": strength}).items() if value is not None}
    changes |= typed(SynthSpec, gather({}, option), "field of the specification")
    if preset is not None:
        _refuse_with_preset([*changes, *(["n_obs"] if n_obs else [])])
        _make_preset(preset, out, scale, seed, dry_run=dry_run)
    elif out is not None:
        _make_own(_own_spec(out.name, n_obs, seed, changes), out, dry_run=dry_run)


def _make_preset(preset: str, out: Path | None, scale: float, seed: int, *, dry_run: bool) -> None:
    from harness.cli.progress import progress_bar
    from harness.cli.show import print_json
    from harness.datasets.synthetic import make_preset, preset_spec

    if dry_run:
        print_json(preset_spec(preset, scale=scale, seed=seed).model_dump(mode="json"))
        return
    target = target_folder(out, preset)
    with progress_bar(f"make {preset}") as report:
        make_preset(preset, target, scale=scale, seed=seed, progress=report)
    say_made(target)


def _make_own(spec: SynthSpec, out: Path, *, dry_run: bool) -> None:
    from harness.cli.progress import progress_bar
    from harness.cli.show import print_json
    from harness.datasets.synthetic import make_synthetic

    if dry_run:
        print_json(spec.model_dump(mode="json"))
        return
    with progress_bar(f"make {spec.name}") as report:
        make_synthetic(spec, out, progress=report)
    say_made(out)


def _refuse_with_preset(told: list[str]) -> None:
    from harness.errors import HarnessError

    if told:
        raise HarnessError(
            "a preset leaves nothing to be told but its scale and seed",
            got=", ".join(told),
            mend="leave --preset out to make a screen of your own measures",
        )


def _own_spec(name: str, n_obs: int | None, seed: int, changes: dict[str, Any]) -> SynthSpec:
    """A specification of its own; the number of cells decides how many a condition has."""
    from harness.datasets.synthetic import SynthSpec

    spec = SynthSpec.read(
        {"name": name, "seed": seed} | changes,
        where="harness data make-synth",
        mend="--dry-run with a preset prints a whole specification",
    )
    if n_obs is None:
        return spec
    perturbations = spec.n_singles + spec.n_doubles + spec.n_triples
    conditions = spec.n_contexts * perturbations * (1 - spec.unmeasured) * max(1, len(spec.doses))
    cells = max(1, round((n_obs - spec.n_contexts * spec.controls) / conditions))
    return spec.model_copy(update={"cells": cells})

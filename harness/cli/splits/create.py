"""`harness splits create`: a dataset divided by a regime."""

from __future__ import annotations

import typer

from harness.cli.names.splits import complete_regime
from harness.cli.options import gather
from harness.cli.show import JSON_OPTION
from harness.cli.splits.keep import keep
from harness.cli.splits.options import DATA, DRY_RUN, NAME


def create(
    data: str = DATA,
    spec: str = typer.Option(
        ..., "--spec", help="The regime; `harness splits regimes` lists them.", autocompletion=complete_regime
    ),
    holdout_context: list[str] = typer.Option([], help="A context to hold out; may be repeated."),
    val_context: list[str] = typer.Option([], help="A context to validate on; may be repeated."),
    calib_context: list[str] = typer.Option([], help="A context to calibrate on; may be repeated."),
    fraction: float | None = typer.Option(None, help="How much to hold out, where the regime says so."),
    param: list[str] = typer.Option(
        [], metavar="KEY=VALUE", help="Any parameter of the regime; may be repeated."
    ),
    seed: int = typer.Option(0, help="Seed of every choice that is not named."),
    name: str | None = NAME,
    alias: str | None = typer.Option(None, help="Also give the task DATASET:SPLIT this alias."),
    dry_run: bool = DRY_RUN,
    as_json: bool = JSON_OPTION,
) -> None:
    """Divide a dataset by a regime, check the result for leaks, and freeze it under its hash.

    The same split again finds the existing one. `loco`, `scaling` and `imbalance` make a family of splits.

    Example: `harness splits create --data demo --spec context_ood --holdout-context C0`

    Example: `harness splits create --data demo --spec combo --param unseen_fraction=0 --dry-run`
    """
    from harness.cli.names.datasets import named_dataset
    from harness.errors import HarnessError
    from harness.splits.create import create_splits
    from harness.splits.regimes import find_regime

    told = gather(
        {
            "holdout_context": holdout_context,
            "val_context": val_context,
            "calib_context": calib_context,
            "fraction": [] if fraction is None else [str(fraction)],
        },
        param,
        where="--param",
    )
    params = find_regime(spec).parse(told)
    splits = create_splits(named_dataset(data), spec, name=name, seed=seed, **params)
    if alias is not None and len(splits) > 1:
        raise HarnessError("an alias names one task", got=f"{len(splits)} splits of regime {spec}")
    keep(splits, alias=alias, dry_run=dry_run, as_json=as_json)

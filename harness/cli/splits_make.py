"""`harness splits create | import-perturbench | import-toml | export`: splits in and out of the store."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from harness.cli.show import JSON_OPTION
from harness.cli.splits_names import complete_dataset, complete_regime, complete_split

if TYPE_CHECKING:
    from harness.splits.split import Split

DATA = typer.Option(..., "--data", help="The dataset, by name or folder.", autocompletion=complete_dataset)
NAME = typer.Option(
    None, "--name", help="What to call the split; the regime's or the file's name, unless told."
)
DRY_RUN = typer.Option(False, "--dry-run", help="Show what would be frozen; write nothing.")


def create(
    data: str = DATA,
    spec: str = typer.Option(
        ..., "--spec", help="The regime; `harness splits regimes` lists them.", autocompletion=complete_regime
    ),
    holdout_context: list[str] = typer.Option([], help="A context to hold out; may be repeated."),
    val_context: list[str] = typer.Option([], help="A context to validate on; may be repeated."),
    calib_context: list[str] = typer.Option([], help="A context to calibrate on; may be repeated."),
    fraction: float | None = typer.Option(None, help="How much to hold out, where the regime says so."),
    param: list[str] = typer.Option([], help="Any parameter of the regime as key=value; may be repeated."),
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
    from harness.cli.splits_names import the_dataset
    from harness.errors import HarnessError
    from harness.splits.create import create_splits
    from harness.splits.regimes import find_regime

    regime = find_regime(spec)
    told: dict[str, list[str]] = {}
    for text in param:
        key, equals, value = text.partition("=")
        if not equals:
            raise HarnessError(
                "a parameter is not key=value", where="--param", got=text, expected="key=value"
            )
        told.setdefault(key.replace("-", "_"), []).append(value)
    common = {
        "holdout_context": holdout_context,
        "val_context": val_context,
        "calib_context": calib_context,
        "fraction": [] if fraction is None else [str(fraction)],
    }
    for key, values in common.items():
        if values:
            told[key] = [*told.get(key, []), *values]
    params = regime.parse(told)
    splits = create_splits(the_dataset(data), spec, name=name, seed=seed, **params)
    if alias is not None and len(splits) > 1:
        raise HarnessError("an alias names one task", got=f"{len(splits)} splits of regime {spec}")
    _keep(splits, alias=alias, dry_run=dry_run, as_json=as_json)


def import_perturbench(
    file: Path = typer.Argument(help="The CSV: cell id, split; with or without a header."),
    data: str = DATA,
    name: str | None = NAME,
    allow_missing: bool = typer.Option(False, help="Set cells aside that the file does not name."),
    within_conditions: bool = typer.Option(
        False, help="Accept that the file divides the cells of a condition: no condition is held out."
    ),
    dry_run: bool = DRY_RUN,
    as_json: bool = JSON_OPTION,
) -> None:
    """Freeze an official PerturBench split file over a dataset, cell by cell.

    Cells with an empty label are set aside; a cell that the dataset does not have is refused by name.

    Example: `harness splits import-perturbench norman19_splits.csv --data norman19`
    """
    from harness.cli.splits_names import the_dataset
    from harness.splits.perturbench import import_perturbench as read

    split = read(
        file, the_dataset(data), name=name, allow_missing=allow_missing, within_conditions=within_conditions
    )
    _keep([split], dry_run=dry_run, as_json=as_json)


def import_toml(
    file: Path = typer.Argument(help="The TOML with [datasets], [training], [zeroshot], [fewshot]."),
    data: str = DATA,
    name: str | None = NAME,
    toml_dataset: str | None = typer.Option(
        None, help="What the file calls this dataset, where it declares several."
    ),
    dry_run: bool = DRY_RUN,
    as_json: bool = JSON_OPTION,
) -> None:
    """Freeze a split file of STATE (or Tahoe) over a dataset; lines and perturbations that do not exist are refused.

    Example: `harness splits import-toml split.toml --data tahoe`
    """
    from harness.cli.splits_names import the_dataset
    from harness.splits.state_toml import import_toml as read

    split = read(file, the_dataset(data), name=name, toml_dataset=toml_dataset)
    _keep([split], dry_run=dry_run, as_json=as_json)


def export(
    split: str = typer.Argument(help="A split: name, hash or alias.", autocompletion=complete_split),
    data: str = DATA,
    out: Path = typer.Option(..., "--out", help="The file to write."),
    form: str = typer.Option("perturbench", "--format", help="perturbench (CSV) or state-toml."),
    calib_as: str | None = typer.Option(
        None, help="state-toml: fold calibration perturbations into val or test."
    ),
) -> None:
    """Write a split in the format of another benchmark; a format that cannot say it is refused.

    Example: `harness splits export demo:covariate_transfer --data demo --out split.csv`

    Example: `harness splits export demo:loco-C1 --data demo --format state-toml --calib-as val --out split.toml`
    """
    from harness.cli.splits_names import the_dataset, the_store
    from harness.errors import UnknownNameError
    from harness.splits.perturbench import export_perturbench
    from harness.splits.state_toml import HELD_OUT, export_toml
    from harness.storage import refuse_existing, write_text

    if form not in ("perturbench", "state-toml"):
        raise UnknownNameError("format", form, ("perturbench", "state-toml"))
    fold = next((role for role in HELD_OUT if role == calib_as), None)
    if calib_as is not None and fold is None:
        raise UnknownNameError("role", calib_as, HELD_OUT)
    refuse_existing(out, kind="file")
    dataset = the_dataset(data)
    frozen = the_store().load(split, dataset.name, dataset=dataset)
    as_csv = form == "perturbench"
    write_text(
        out, export_perturbench(frozen, dataset) if as_csv else export_toml(frozen, dataset, calib_as=fold)
    )
    typer.echo(str(out))


def _keep(splits: list[Split], *, alias: str | None = None, dry_run: bool, as_json: bool) -> None:
    """Save splits, unless it is a dry run, and say what they are and whether they are new."""
    from harness.cli.show import print_json, print_table
    from harness.cli.splits_names import the_store
    from harness.splits.split import ROLES

    store = the_store()
    said = []
    for split in splits:
        path = store.path(split.frozen_hash)
        state = "exists" if path.exists() else "not written (dry run)" if dry_run else "new"
        if not dry_run:
            store.save(split, alias)
        said.append(
            {
                "hash": split.frozen_hash,
                "task": f"{split.dataset.name}:{split.name}",
                "state": state,
                "path": str(path),
                "counts": split.counts,
                "set_aside": {reason: len(names) for reason, names in split.set_aside.items()},
                "notes": split.notes,
            }
        )
    if as_json:
        print_json(said[0] if len(said) == 1 else said)
        return
    for split, facts in zip(splits, said, strict=True):
        typer.echo(f"{split.frozen_hash}  {facts['task']}  {facts['state']}")
        typer.echo(f"  {facts['path']}")
    print_table(
        "Cells by role",
        ["task", *ROLES, "set aside"],
        [[s.name, *(s.counts[role] for role in ROLES), s.n_obs - sum(s.counts.values())] for s in splits],
    )
    for note in dict.fromkeys(note for split in splits for note in split.notes):
        typer.echo(f"note: {note}")

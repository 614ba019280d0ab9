"""`harness splits export`: a split in the format of another benchmark."""

from __future__ import annotations

from pathlib import Path

import typer

from harness.cli.names.splits import complete_split
from harness.cli.splits.options import DATA


def export(
    split: str = typer.Argument(help="A split: name, hash or alias.", autocompletion=complete_split),
    data: str = DATA,
    out: Path = typer.Option(..., "--out", help="The file to write."),
    form: str = typer.Option("perturbench", "--format", help="perturbench (CSV) or state-toml."),
    calib_as: str | None = typer.Option(
        None, help="state-toml: fold calibration perturbations into val or test."
    ),
    data_path: Path | None = typer.Option(
        None, help="state-toml: the .h5ad file, or folder of them, that STATE is to train on; it is checked."
    ),
    pert_col: str = typer.Option("pert_id", help="state-toml: column of perturbations in --data-path."),
    line_col: str = typer.Option("context_id", help="state-toml: column of cell lines in --data-path."),
) -> None:
    """Write a split in the format of another benchmark; a format that cannot say it is refused.

    STATE trusts its split files. Here a file is read back and compared with the split before it is written, and so are the
    labels, genes and cells of what it is to train on (`harness data export … --format h5ad` writes that).

    Example: `harness splits export demo:covariate_transfer --data demo --out split.csv`

    Example: `harness splits export demo:loco-C1 --data demo --format state-toml --calib-as val --out split.toml`
    """
    from harness.cli.names.datasets import named_dataset
    from harness.cli.names.splits import split_store
    from harness.errors import UnknownNameError
    from harness.splits.perturbench import export_perturbench
    from harness.splits.state_files import check_files
    from harness.splits.state_toml import HELD_OUT, export_checked
    from harness.storage import refuse_existing, write_text

    if form not in ("perturbench", "state-toml"):
        raise UnknownNameError("format", form, ("perturbench", "state-toml"))
    fold = next((role for role in HELD_OUT if role == calib_as), None)
    if calib_as is not None and fold is None:
        raise UnknownNameError("role", calib_as, HELD_OUT)
    refuse_existing(out, kind="file")
    dataset = named_dataset(data)
    frozen = split_store().load(split, dataset.name, dataset=dataset)
    if form == "perturbench":
        write_text(out, export_perturbench(frozen, dataset))
    else:
        if data_path is not None:
            check_files(data_path, dataset, pert_column=pert_col, line_column=line_col)
        place = None if data_path is None else str(data_path.absolute())
        write_text(out, export_checked(frozen, dataset, data_path=place, calib_as=fold))
    typer.echo(str(out))
